"""A gRPC server that tells what reached it on the wire, the authority included."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import grpc

HEADERS = (("k-server", "witness"), ("k-other", "1"))
TRAILERS = (("k-trailer", "1"),)


@dataclass(frozen=True)
class Seen:
    """A call as it came in."""

    authority: str
    method: str
    metadata: tuple[tuple[str, str | bytes], ...]


@dataclass
class Witness:
    """A server on 127.0.0.1 that answers every method with its name.

    `x-fail: CODE` has it fail instead. It is grpc's synchronous server, for the asynchronous one does not
    tell the authority.
    """

    name: str
    seen: asyncio.Queue[Seen] = field(default_factory=asyncio.Queue)
    address: str = ""

    async def __aenter__(self) -> Witness:
        self._loop = asyncio.get_running_loop()
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._server.stop(None).wait)

    def answer(self, method: str, context: Any) -> bytes:
        metadata = tuple((each.key, each.value) for each in context.invocation_metadata())
        details = context._rpc_event.call_details
        call = Seen(details.host.decode(), method, metadata)
        self._loop.call_soon_threadsafe(self.seen.put_nowait, call)
        context.send_initial_metadata(HEADERS)
        context.set_trailing_metadata(TRAILERS)
        code = dict(metadata).get("x-fail")
        if code:
            context.abort(grpc.StatusCode[str(code)], "as told")
        return self.name.encode()


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._witness.answer(details.method, context)
        )
