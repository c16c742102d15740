"""Real gRPC servers that say who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any

import grpc
from grpc import aio


class Backend:
    """A server on 127.0.0.1 with all four call kinds under any service name; each answers with its name.

    `hook`, if given, is awaited before each answer and may abort; a stream-unary call's comes after its
    first request.
    """

    def __init__(
        self, name: str, hook: Callable[[aio.ServicerContext[Any, Any]], Awaitable[None]] | None = None
    ) -> None:
        self.name = name
        self.hook = hook
        self.calls: list[dict[str, Any]] = []
        self.address = ""
        self._server: aio.Server | None = None

    async def start(self, address: str = "127.0.0.1:0") -> None:
        self._server = aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Handlers(self),))
        port = self._server.add_insecure_port(address)
        await self._server.start()
        self.address = f"{address.rpartition(':')[0]}:{port}"

    async def stop(self, grace: float | None = None) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(grace)

    async def __aenter__(self) -> Backend:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def seen(self, context: aio.ServicerContext[Any, Any]) -> bytes:
        self.calls.append(dict(context.invocation_metadata() or ()))
        if self.hook is not None:
            await self.hook(context)
        return self.name.encode()


class _Handlers(grpc.GenericRpcHandler):
    """The last word of the method says the kind: …/UnaryUnary, /UnaryStream, /StreamUnary, /StreamStream."""

    def __init__(self, backend: Backend) -> None:
        async def unary_unary(request: bytes, context: Any) -> bytes:
            return await backend.seen(context)

        async def unary_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
            name = await backend.seen(context)
            for _ in range(3):
                yield name

        async def stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
            received = [await anext(requests)]
            name = await backend.seen(context)
            received += [request async for request in requests]
            return b":".join([name, *received])

        async def stream_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            name = await backend.seen(context)
            async for request in requests:
                yield b":".join([name, request])

        self._handlers = {
            "UnaryUnary": grpc.unary_unary_rpc_method_handler(unary_unary),
            "UnaryStream": grpc.unary_stream_rpc_method_handler(unary_stream),
            "StreamUnary": grpc.stream_unary_rpc_method_handler(stream_unary),
            "StreamStream": grpc.stream_stream_rpc_method_handler(stream_stream),
        }

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(details.method.rpartition("/")[2], self._handlers["UnaryUnary"])


async def gather_backends(*names: str) -> dict[str, Backend]:
    """Start a backend for each name."""
    made = {name: Backend(name) for name in names}
    await asyncio.gather(*(each.start() for each in made.values()))
    return made
