"""The gate in front of a control plane that is not ready as soon as it listens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from mesh.addresses import LOOPBACK, free_port
from mesh.errors import MeshError
from mesh.gate import Gate, Place

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data.upper())
        await writer.drain()
    writer.close()


@pytest_asyncio.fixture
async def behind() -> AsyncIterator[asyncio.Server]:
    server = await asyncio.start_server(echo, LOOPBACK, 0)
    yield server
    server.close()


@pytest_asyncio.fixture
async def front(behind: asyncio.Server) -> AsyncIterator[tuple[Gate, Place]]:
    place = (LOOPBACK, free_port(LOOPBACK))
    gate = Gate(place, behind.sockets[0].getsockname())
    yield gate, place
    await gate.shut()


async def test_closed_it_refuses_and_open_it_relays(front: tuple[Gate, Place]) -> None:
    gate, place = front
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*place)
    await gate.open()
    reader, writer = await asyncio.open_connection(*place)
    sent = b"x" * (1 << 20)
    writer.write(sent)
    assert await reader.readexactly(len(sent)) == sent.upper()
    await gate.shut()
    assert await reader.read() == b""  # whoever is inside is sent away
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*place)


async def test_it_opens_again_and_twice_is_once(front: tuple[Gate, Place]) -> None:
    gate, place = front
    for _ in range(2):
        await gate.open()
        await gate.open()
        reader, writer = await asyncio.open_connection(*place)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"A"
        writer.close()
        await gate.shut()
        await gate.shut()


async def test_who_leaves_is_let_go_on_the_other_side(front: tuple[Gate, Place]) -> None:
    gate, place = front
    await gate.open()
    reader, writer = await asyncio.open_connection(*place)
    writer.write(b"a")
    await reader.readexactly(1)
    writer.close()
    await writer.wait_closed()
    while len(asyncio.all_tasks()) > 1:  # the visit, its two ways, the echo behind it
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, return_when="FIRST_COMPLETED")  # type: ignore[arg-type]


async def test_nobody_behind_it_ends_the_visit() -> None:
    place, nobody = (LOOPBACK, free_port(LOOPBACK)), (LOOPBACK, free_port(LOOPBACK))
    gate = Gate(place, nobody)
    await gate.open()
    reader, writer = await asyncio.open_connection(*place)
    assert await reader.read() == b""
    writer.close()
    await gate.shut()


async def test_a_port_that_is_taken_is_named(behind: asyncio.Server) -> None:
    place = behind.sockets[0].getsockname()
    with pytest.raises(MeshError, match=rf"Cannot listen on {place[0]}:{place[1]}: .*in use"):
        await Gate(place, place).open()
