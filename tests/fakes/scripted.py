"""A server whose methods say what it does: `/NAME/Kind` runs the behaviour called NAME."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, TypeAlias

import grpc
from grpc import aio

Behaviour: TypeAlias = Callable[["Scripted", AsyncIterator[bytes], Any, bool], AsyncIterator[bytes]]

TRAILERS = (("why", "gone"), ("why-bin", b"\x00\xff"))


class Scripted:
    """A server on 127.0.0.1 without state but `reached`, set by the first call, and `release`.

    Every method takes and gives streams, as all four kinds look the same on the wire.
    """

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.attempts = 0
        self.address = ""
        self._server: aio.Server | None = None

    async def start(self, address: str = "127.0.0.1:0") -> None:
        self._server = aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Handlers(self),))
        port = self._server.add_insecure_port(address)
        await self._server.start()
        self.address = f"{address.rpartition(':')[0]}:{port}"

    async def stop(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(None)

    async def __aenter__(self) -> Scripted:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, server: Scripted) -> None:
        self._server = server

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        _, name, kind = details.method.split("/")
        behaviour = BEHAVIOURS.get(name)
        if behaviour is None:
            return None

        async def handle(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            self._server.attempts += 1
            self._server.reached.set()
            async for response in behaviour(self._server, requests, context, kind.endswith("Unary")):
                yield response

        return grpc.stream_stream_rpc_method_handler(handle)


async def _answers(requests: AsyncIterator[bytes], unary: bool) -> AsyncIterator[bytes]:
    """One answer a request, or one for all of them."""
    if unary:
        yield b":".join(await _all(requests))
    else:
        async for request in requests:
            yield request


async def _all(requests: AsyncIterator[bytes]) -> list[bytes]:
    """Read to the end: a client still writing when its call ends may see INTERNAL, a fault of grpc.aio."""
    return [request async for request in requests]


async def ok(_: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool) -> AsyncIterator[bytes]:
    await context.send_initial_metadata((("served", "yes"), ("served-bin", b"\x00\xff")))
    context.set_trailing_metadata(TRAILERS)
    async for answer in _answers(requests, unary):
        yield answer


async def fail(
    _: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Fail before any answer, response headers included."""
    await _all(requests)
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no such bøok", TRAILERS)
    yield b""


async def unavailable(
    _: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    await _all(requests)
    await context.abort(grpc.StatusCode.UNAVAILABLE, "come back later")
    yield b""


async def fail_late(
    _: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Fail after the first answer."""
    await _all(requests)
    yield b"first"
    await context.abort(grpc.StatusCode.UNAVAILABLE, "enough", TRAILERS)


async def hang(
    server: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Say nothing until released."""
    await server.release.wait()
    async for answer in _answers(requests, unary):
        yield answer


async def headers(
    server: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Send response headers, then nothing until released."""
    await context.send_initial_metadata((("served", "yes"),))
    await server.release.wait()
    async for answer in _answers(requests, unary):
        yield answer


async def bare(
    server: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Send response headers that say nothing, then nothing until released."""
    await context.send_initial_metadata(())
    await server.release.wait()
    async for answer in _answers(requests, unary):
        yield answer


async def second(
    server: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Fail the first attempt after its first request, echo the requests of the others as they come."""
    if server.attempts == 1:
        await anext(requests)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "come back at once")
    async for answer in _answers(requests, unary):
        yield answer


async def slow_at_first(
    server: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Never answer the first attempt."""
    if server.attempts == 1:
        await asyncio.Event().wait()
    yield b"first"
    await server.release.wait()


async def drip(
    server: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Answer once, the rest when released."""
    yield b"first"
    await server.release.wait()
    if not unary:
        yield b"second"


async def early(
    server: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Answer without reading a request."""
    yield b"early"


async def metadata(
    _: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Answer with the metadata that came, as text."""
    await _all(requests)
    given = sorted((k, v) for k, v in context.invocation_metadata() if k.startswith("x-"))
    yield repr(given).encode()


async def sized(
    _: Scripted, requests: AsyncIterator[bytes], context: Any, unary: bool
) -> AsyncIterator[bytes]:
    """Answer with as many bytes as the first request says, or as it has."""
    request, *_rest = await _all(requests)
    yield b"x" * int(request) if request.isdigit() else b"%d" % len(request)


BEHAVIOURS: dict[str, Behaviour] = {
    each.__name__: each
    for each in (
        *(ok, fail, unavailable, fail_late, hang, headers, bare, second, slow_at_first, drip, early),
        *(metadata, sized),
    )
}
