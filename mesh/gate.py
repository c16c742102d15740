"""A TCP relay in front of a port: what a Service with a readiness probe is to a Pod."""

from __future__ import annotations

import asyncio

from mesh.errors import MeshError

_CHUNK = 65536
Place = tuple[str, int]


class Gate:
    """Listens at one place while it is open and relays each connection to another; closed, it refuses."""

    def __init__(self, front: Place, behind: Place) -> None:
        self._front = front
        self._behind = behind
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let clients in; MeshError when somebody else listens there."""
        try:
            self._server = self._server or await asyncio.start_server(self._enter, *self._front)
        except OSError as error:
            host, port = self._front
            raise MeshError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None

    async def shut(self) -> None:
        """Refuse clients from now on and end the connections of those inside."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.create_task(self._relay(reader, writer))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self._behind)
        except OSError:
            writer.transport.abort()
            return
        ways = [
            asyncio.create_task(_pump(reader, inner_writer)),
            asyncio.create_task(_pump(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, inner_writer):
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
