"""The far end of a port-forward over WebSocket: channel 0 is data, 1 an error; each begins with the port."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

PROTOCOL = "v4.channel.k8s.io"


async def port_forward(request: web.Request, host: str, port: int) -> web.WebSocketResponse:
    """Lead a request to this address until either side ends it."""
    answer = web.WebSocketResponse(protocols=[PROTOCOL])
    await answer.prepare(request)
    for channel in (0, 1):
        await answer.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        await answer.send_bytes(b"\x01" + str(error).encode())
        return answer

    async def back() -> None:
        while data := await reader.read(65536):
            await answer.send_bytes(b"\x00" + data)
        await answer.close()

    returning = asyncio.create_task(back())
    try:
        async for message in answer:
            if message.type is WSMsgType.BINARY and message.data[:1] == b"\x00":
                writer.write(message.data[1:])
                await writer.drain()
    finally:
        returning.cancel()
        writer.close()
    return answer
