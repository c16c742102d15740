"""A port on this machine that leads to a port of a pod, by way of the API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from lanes.cluster.api import Api
from lanes.landscape import LaneError

_HOST = "127.0.0.1"
_DATA, _ERROR = 0, 1
_CHUNK = 64 * 1024
# Each channel begins with the port it is for.
_GREETING = 3


@asynccontextmanager
async def forwarded(
    api: Api, pod: str, port: int, tell: Callable[[str], None], namespace: str = ""
) -> AsyncIterator[str]:
    """`host:port` of this machine; each connection to it is one to the pod. What cannot be had is told."""
    # So that a right that is missing is an error here, and not a connection that breaks later.
    async with api.forwarding(pod, port, namespace):
        pass

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with api.forwarding(pod, port, namespace) as connection:
                await _both_ways(reader, writer, connection)
        except LaneError as error:
            tell(str(error))
        except ConnectionError:
            pass  # whoever asked has gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve, _HOST, 0)
    try:
        yield f"{_HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _both_ways(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: aiohttp.ClientWebSocketResponse
) -> None:
    sending = asyncio.create_task(_send(reader, connection))
    try:
        await _receive(connection, writer)
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError, aiohttp.ClientError):
            await sending


async def _send(reader: asyncio.StreamReader, connection: aiohttp.ClientWebSocketResponse) -> None:
    while data := await reader.read(_CHUNK):
        await connection.send_bytes(bytes([_DATA]) + data)
    await connection.close()


async def _receive(connection: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
    greeted: set[int] = set()
    async for message in connection:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel not in greeted and len(message.data) == _GREETING:
            greeted.add(channel)
            continue
        if channel == _ERROR:
            raise LaneError(f"The port cannot be forwarded: {data.decode(errors='replace').strip()}")
        writer.write(data)
        await writer.drain()
