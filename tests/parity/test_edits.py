"""Header mutation by our client and by Envoy: the same is received, and the same answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.witness import Witness
from tests.parity.cases import REFUSED
from tests.parity.conftest import Ours
from tests.parity.edits import EDITS, Edit, Pairs
from tests.parity.envoy_driver import Envoy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def witness(plane: FakeControlPlane) -> AsyncIterator[Witness]:
    async with Witness("witness") as witness:
        plane.set(build.cluster("witness"), build.endpoints("witness", witness.address))
        yield witness


async def check(
    plane: FakeControlPlane, client: Ours | Envoy, witness: Witness, edit: Edit, received: Pairs | str
) -> None:
    """Make the row's call and hold what comes of it to what is expected."""
    target = f"xds:///{edit.listener}"
    channel = await client.channel(target)
    call = channel.unary_unary("/s/Get")(b"", metadata=edit.metadata, timeout=5)
    try:
        code = await call.code()
        if received == REFUSED:
            await plane.until(lambda: bool(client.refusals(plane, edit.listener)))
        else:
            assert not client.refusals(plane, edit.listener)
        if isinstance(received, str):
            assert code.name == ("UNAVAILABLE" if received == REFUSED else received)
        else:
            assert of_interest((await witness.seen.get()).metadata) == received
            assert of_interest(await call.initial_metadata()) == edit.answered
    finally:
        await client.close(target)


def of_interest(metadata: Iterable[tuple[str, Any]]) -> Pairs:
    return tuple(sorted((pair for pair in metadata if pair[0].startswith("k-")), key=lambda pair: pair[0]))


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("edit", EDITS, ids=[each.name for each in EDITS])
async def test_headers_are_edited_as_the_table_says(
    plane: FakeControlPlane, ours: Ours, envoy: Envoy, witness: Witness, edit: Edit
) -> None:
    plane.set(*edit.resources)
    await check(plane, ours, witness, edit, edit.received)
    await check(plane, envoy, witness, edit, edit.received if edit.envoy is None else edit.envoy)


def test_the_table_is_one_to_rely_on() -> None:
    assert len({each.listener for each in EDITS}) == len(EDITS)
    for each in EDITS:
        assert (each.envoy is None) == (not each.why), f"{each.name}: a difference needs its reason"
        assert each.envoy != each.received, f"{each.name}: this is no difference"
