"""The fuzzer itself: libFuzzer, which keeps what reaches new code, over mutations by structure.

Started by `python -m tests.fuzz`, because libFuzzer ends the process it runs in.
"""

from __future__ import annotations

import sys
from random import Random

import atheris

with atheris.instrument_imports(include=["proxyless"]):
    from proxyless import parse  # noqa: F401 - imported here to be instrumented

    from .mutate import grow, mutate
    from .seeds import MESSAGES, decode, encode, wrap
    from .verdict import WRAPPER, judge

from google.protobuf.message import DecodeError


def one_input(data: bytes) -> None:
    """What libFuzzer calls with each input."""
    judge(*decode(data))


def change(data: bytes, longest: int, seed: int) -> bytes:
    """Make another input of this one: mostly by the structure of the resource, else by its bytes."""
    rng = Random(seed)
    kind, type_url, raw = decode(data)
    if rng.randrange(16) == 0 or type_url == WRAPPER:
        return bytes(atheris.Mutate(data, len(data)))[:longest]
    message = MESSAGES[kind]()
    try:
        message.ParseFromString(raw)
    except DecodeError:
        message.Clear()
    if not raw or rng.randrange(64) == 0:
        grow(message, message.DESCRIPTOR.name, rng)
    mutate(message, rng)
    made = message.SerializeToString()
    if rng.randrange(64) == 0:
        return encode(kind, wrap(kind, rng.choice(("", "n")), made), wrapped=True)[:longest]
    return encode(kind, made)[:longest]


def cross(one: bytes, other: bytes, longest: int, seed: int) -> bytes:
    """Merge two resources of one type."""
    kind, url, raw = decode(one)
    other_kind, other_url, other_raw = decode(other)
    if kind is other_kind and WRAPPER not in (url, other_url):
        # Merging messages is what protobuf makes of their bytes one after the other.
        return encode(kind, raw + other_raw)[:longest]
    return change(one, longest, seed)


atheris.Setup(sys.argv, one_input, custom_mutator=change, custom_crossover=cross)
atheris.Fuzz()
