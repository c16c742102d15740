"""`python -m bench.backend NAME…`: gRPC servers that answer with 64 bytes that begin with their name."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import click
import grpc

SIZE = 64
"""Bytes of a message."""
HOST = "0.0.0.0"
"""On every address: all of 127.0.0.0/8 is this machine, so one server stands for any number of endpoints."""


class Echo(grpc.GenericRpcHandler):
    """…/Unary, …/Connection (by which it came), …/Many (as many as it says), …/Exchange (one a request)."""

    def __init__(self, name: str) -> None:
        answer = name.encode().ljust(SIZE)

        async def unary(request: bytes, context: Any) -> bytes:
            return answer

        async def many(request: bytes, context: Any) -> AsyncIterator[bytes]:
            for _ in range(int(request)):
                yield answer

        async def exchange(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            async for _ in requests:
                yield answer

        async def connection(request: bytes, context: Any) -> bytes:
            return f"{name} {context.peer()}".encode()

        self._handlers: dict[str, Any] = {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Connection": grpc.unary_unary_rpc_method_handler(connection),
            "Many": grpc.unary_stream_rpc_method_handler(many),
            "Exchange": grpc.stream_stream_rpc_method_handler(exchange),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method, by the last word of its path."""
        return self._handlers.get(handler_call_details.method.rpartition("/")[2])


async def serve(names: list[str]) -> None:
    """Serve under each name until killed; the first line of output says on which ports."""
    ports, servers = {}, []
    for name in names:
        server = grpc.aio.server(handlers=[Echo(name)], options=[("grpc.so_reuseport", 0)])
        ports[name] = server.add_insecure_port(f"{HOST}:0")
        await server.start()
        servers.append(server)  # one that nobody holds ends
    click.echo(json.dumps(ports))
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
