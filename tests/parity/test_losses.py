"""Calls that are lost before peers that really end them so: three clients, and what each tries again."""

from __future__ import annotations

import re
from itertools import product

import pytest

from tests.fakes import http2
from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.parity.cases import METHOD, to
from tests.parity.conftest import Driver
from tests.parity.losses import EVERY, ROWS, WORDS, Loss


async def tried(plane: FakeControlPlane, client: Driver, row: Loss, word: str) -> tuple[str, int]:
    """Make a call that may be retried once for this word: what it came to, and how often it was sent."""
    async with http2.Peer(row.end) as peer:
        name = f"{re.sub('[^a-z0-9]+', '-', f'{row.name} {word}'.lower())}.{client.node}:9080"
        policy = {"retry_on": word, "num_retries": 1, "retriable_status_codes": [503]}
        plane.set(*build.service(name, {name: [peer.address]}, to(name, retry_policy=policy)))
        try:
            [result] = await client.call(f"xds:///{name}", METHOD, ())
        finally:
            await client.close(f"xds:///{name}")
        return result.partition(":")[0], peer.requests


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("row", "word"), [pytest.param(*pair, id=f"{pair[0].name}: {pair[1]}") for pair in product(ROWS, WORDS)]
)
async def test_all_retry_what_the_table_says(
    plane: FakeControlPlane, ours: Driver, theirs: Driver, envoy: Driver, row: Loss, word: str
) -> None:
    both = row.retried.split()
    for client, words, code in (
        (ours, [*both, *row.only_ours.split()], row.code),
        (theirs, row.grpc.split(), row.code),
        (envoy, both, row.envoy or row.code),
    ):
        expected = ("yes", 2) if word in words else (code.name, 1)
        assert await tried(plane, client, row, word) == expected, client.node


def test_the_table_is_one_to_rely_on() -> None:
    assert len({each.name for each in ROWS}) == len(ROWS)
    for each in ROWS:
        retried, only_ours, grpc = (text.split() for text in (each.retried, each.only_ours, each.grpc))
        assert {*retried, *only_ours, *grpc} <= {*EVERY.split()}
        assert not {*retried} & {*only_ours}
        assert bool(only_ours or each.envoy) == bool(each.why), f"{each.name}: a difference needs its reason"
