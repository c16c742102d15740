"""A faulty TCP connection: a proxy on loopback that can be told what to do to what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Literal, Self, TypeAlias

Manner: TypeAlias = Literal["sound", "half-open", "delayed", "throttled"]

DELAY = 0.3
"""Seconds by which everything is late."""
RATE = 4096
"""Bytes a second and direction."""
_CHUNK = 65536
_SLICE = 64
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


class Wire:
    """Listens on `address` and passes each connection on to `target`, which may be changed meanwhile."""

    def __init__(self, address: str, target: str) -> None:
        self.address = address
        self.target = target
        self.passed = 0
        """Bytes, in both directions."""
        self._manner: Manner = "sound"
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def __aenter__(self) -> Self:
        host, _, port = self.address.rpartition(":")
        self._server = await asyncio.start_server(self._accept, host, int(port))
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    def become(self, manner: Manner) -> None:
        """Treat all connections so from now on, those that stand as well as new ones.

        `half-open` ones look sound to the kernel of either side, but nothing gets through.
        """
        self._manner = manner
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> int:
        """End every connection with a reset to both sides; returns how many there were."""
        for task, writers in list(self._connections.items()):
            for writer in writers:
                raw: socket.socket | None = writer.get_extra_info("socket")
                if raw is not None:
                    with contextlib.suppress(OSError):
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            task.cancel()
        return len(self._connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers = self._connections[task] = [writer]
        try:
            await self._sound()  # a new connection through a half-open path is accepted by nobody behind it
            host, _, port = self.target.rpartition(":")
            try:
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
            except OSError:
                return
            writers.append(far_writer)
            ways = [
                asyncio.ensure_future(self._pump(reader, far_writer)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.CancelledError:
            pass  # reset, or the wire's own end; a task that is cancelled makes asyncio's streams complain
        finally:
            del self._connections[task]
            for each in writers:
                each.close()

    async def _sound(self) -> None:
        while self._manner == "half-open":
            await self._changed.wait()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._manner == "delayed":
                    await asyncio.sleep(DELAY)
                while self._manner == "throttled" and data:
                    await self._write(writer, data[:_SLICE])
                    data = data[_SLICE:]
                    await asyncio.sleep(_SLICE / RATE)
                await self._sound()
                await self._write(writer, data)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        self.passed += len(data)
        await writer.drain()
