"""Whatever bytes come: a ResourceError or a valid resource, and nothing else."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxyless.parse import parse_resource
from proxyless.resources import Kind

from .mutate import grow, mutate
from .seeds import MESSAGES, decode, inputs, made_up, wrap
from .verdict import WRAPPER, judge

KINDS = st.sampled_from(Kind)
RANDOMS = st.randoms(use_true_random=False)
SEEDS = made_up()
CRASHES = Path(__file__).parent / "crashes"


@settings(max_examples=200, deadline=None)
@given(KINDS, st.binary(max_size=60), st.booleans())
def test_any_bytes(kind: Kind, data: bytes, wrapped: bool) -> None:
    judge(kind, WRAPPER if wrapped else kind.type_url, data)


@settings(max_examples=50, deadline=None)
@given(KINDS, st.text(max_size=20), st.binary(max_size=20))
def test_any_type(kind: Kind, type_url: str, data: bytes) -> None:
    judge(kind, type_url, data)


@settings(max_examples=250, deadline=None)
@given(KINDS, st.data())
def test_a_valid_resource_with_bytes_changed(kind: Kind, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SEEDS[kind])).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    judge(kind, kind.type_url, bytes(raw))


@settings(max_examples=600, deadline=None)
@given(KINDS, st.data(), RANDOMS, st.booleans())
def test_a_valid_resource_with_fields_changed(
    kind: Kind, data: st.DataObject, rng: Random, wrapped: bool
) -> None:
    message = MESSAGES[kind]()
    message.CopyFrom(data.draw(st.sampled_from(SEEDS[kind])))
    mutate(message, rng)
    raw = message.SerializeToString()
    judge(kind, WRAPPER if wrapped else kind.type_url, wrap(kind, "n", raw) if wrapped else raw)


@settings(max_examples=200, deadline=None)
@given(KINDS, RANDOMS)
def test_a_resource_from_nothing(kind: Kind, rng: Random) -> None:
    message = MESSAGES[kind](**{"cluster_name" if kind is Kind.ENDPOINTS else "name": "n"})
    grow(message, message.DESCRIPTOR.name, rng)
    judge(kind, kind.type_url, message.SerializeToString())


def test_the_seeds_are_valid() -> None:
    for kind, messages in SEEDS.items():
        for message in messages:
            assert judge(kind, kind.type_url, message.SerializeToString()) is not None


def test_what_istiod_sends_holds() -> None:
    for each in inputs():
        judge(*decode(each))


def test_the_mutations_go_deep() -> None:
    """Most of what the fuzzer makes must get past the first look, or it would test nothing but that."""
    rng, taken, places = Random(0), 0, set()
    for _ in range(400):
        kind = rng.choice(list(Kind))
        message = MESSAGES[kind]()
        message.CopyFrom(rng.choice(SEEDS[kind]))
        mutate(message, rng)
        try:
            parse_resource(kind, kind.type_url, message.SerializeToString())
            taken += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, its place counts
            places.add(str(error).partition(": ")[2].partition(": ")[0])
    assert taken >= 100
    assert len(places) >= 40


@pytest.mark.parametrize("path", sorted(CRASHES.glob("[a-z]*-*")), ids=lambda path: path.name)
def test_what_the_fuzzer_found_stays_mended(path: Path) -> None:
    judge(*decode(path.read_bytes()))
