"""The faulty connection does what it says to a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from .wire import DELAY, Wire


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def wired() -> AsyncIterator[tuple[Wire, asyncio.StreamReader, asyncio.StreamWriter]]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Wire("127.0.0.1:0", f"127.0.0.1:{port}") as wire:
        host, _, port = wire.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield wire, reader, writer
        finally:
            writer.close()


async def test_it_passes_on() -> None:
    async with wired() as (wire, reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert wire.passed == 10


async def test_half_open_holds_everything_and_loses_nothing() -> None:
    async with wired() as (wire, reader, writer):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        wire.become("half-open")
        writer.write(b"b")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.2)
        wire.become("sound")
        assert await reader.readexactly(1) == b"b"


async def test_delayed_and_throttled_are_late() -> None:
    loop = asyncio.get_running_loop()
    async with wired() as (wire, reader, writer):
        wire.become("delayed")
        began = loop.time()
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        assert loop.time() - began >= DELAY
        wire.become("throttled")
        began = loop.time()
        writer.write(b"b" * 1000)
        assert await reader.readexactly(1000) == b"b" * 1000
        assert loop.time() - began >= 1000 / 4096 - 0.1


async def test_a_reset_is_one() -> None:
    async with wired() as (wire, reader, writer):
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        assert wire.reset() == 1
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
