"""`python -m tests.chaos.instance SERVICE VERSION ADDRESS [NOTES]`: a server that says who it is.

It has all four kinds of calls; the first service passes each on to the second, over a client of the library,
and puts itself before whatever that answers. Given a file, it notes there each attempt that comes.
It ends on SIGTERM, after the calls it serves.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import proxyless
from grpc import aio

from lanes import grpc_client
from lanes.context import BASE, current_lane
from lanes.grpc_server import LaneServerInterceptor

from .book import CHAIN, MESSAGES, Hop
from .notes import CALL, Notes

PREFIX = "/chaos.Echo/"
METHODS = {
    "unary_unary": f"{PREFIX}UnaryUnary",
    "unary_stream": f"{PREFIX}UnaryStream",
    "stream_unary": f"{PREFIX}StreamUnary",
    "stream_stream": f"{PREFIX}StreamStream",
}
SELF = f"{PREFIX}Self"
TARGET = f"xds:///{CHAIN[1]}.default.svc.cluster.local:9080"
DRAIN = 30.0
SERVING = "serving"


class Instance(grpc.GenericRpcHandler):
    """The handlers of one instance."""

    def __init__(
        self,
        service: str,
        version: str,
        name: str,
        client: proxyless.Client | None,
        notes: Notes | None = None,
    ) -> None:
        self._own = (service, version, name)
        self._notes = notes
        self._client = client
        self._following: aio.Channel | None = None
        if client is not None:
            self._following = client.channel(TARGET, interceptors=grpc_client.interceptors())
        make = {
            METHODS["unary_unary"]: grpc.unary_unary_rpc_method_handler(self.unary_unary),
            METHODS["unary_stream"]: grpc.unary_stream_rpc_method_handler(self.unary_stream),
            METHODS["stream_unary"]: grpc.stream_unary_rpc_method_handler(self.stream_unary),
            METHODS["stream_stream"]: grpc.stream_stream_rpc_method_handler(self.stream_stream),
            SELF: grpc.unary_unary_rpc_method_handler(self.self),
        }
        self._handlers: dict[str, Any] = make

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if self._notes is not None and details.method != SELF:
            self._notes.add(_number(details.invocation_metadata), Hop(*self._own, current_lane() or BASE))
        return self._handlers.get(details.method)

    def _hop(self, behind: bytes = b"[]") -> bytes:
        return json.dumps([[*self._own, current_lane() or BASE], *json.loads(behind)]).encode()

    def _next(self, kind: str, context: Any) -> Any:
        """A multicallable of the next service, given what time this call still has."""
        assert self._following is not None
        make = getattr(self._following, kind)(METHODS[kind])
        metadata = ((CALL, _number(context.invocation_metadata())),)
        return lambda request: make(request, timeout=context.time_remaining(), metadata=metadata)

    async def unary_unary(self, request: bytes, context: Any) -> bytes:
        if self._following is None:
            return self._hop()
        try:
            return self._hop(await self._next("unary_unary", context)(request))
        except aio.AioRpcError as error:
            return await _passed_on(error, context)

    async def unary_stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        if self._following is None:
            for _ in range(MESSAGES):
                yield self._hop()
            return
        try:
            async for behind in self._next("unary_stream", context)(request):
                yield self._hop(behind)
        except aio.AioRpcError as error:
            await _passed_on(error, context)

    async def stream_unary(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        if self._following is None:
            async for _ in requests:
                pass
            return self._hop()
        try:
            return self._hop(await self._next("stream_unary", context)(requests))
        except aio.AioRpcError as error:
            return await _passed_on(error, context)

    async def stream_stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        if self._following is None:
            async for _ in requests:
                yield self._hop()
            return
        try:
            async for behind in self._next("stream_stream", context)(requests):
                yield self._hop(behind)
        except aio.AioRpcError as error:
            await _passed_on(error, context)

    async def self(self, _: bytes, __: Any) -> bytes:
        """What this process holds: how many tasks, and the state of its connections by address."""
        gc.collect()
        states = connections(self._client) if self._client is not None else {}
        return json.dumps({"tasks": len(asyncio.all_tasks()), "connections": states}).encode()


def connections(client: proxyless.Client) -> dict[str, str]:
    """The state of each of a client's connections to instances, by address."""
    return {
        address: state
        for target in client.target_states().values()
        for cluster in target.get("clusters", {}).values()
        for address, state in cluster["subchannels"].items()
    }


def _number(metadata: Any) -> str:
    """Of the call that an attempt is made for."""
    (number,) = (value for name, value in metadata if name == CALL)
    return str(number)


async def _passed_on(error: aio.AioRpcError, context: Any) -> bytes:
    await context.abort(error.code(), f"back: {error.details()}")
    return b""


async def main(service: str, version: str, address: str, notes: str | None = None) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = None
    if service != CHAIN[-1]:
        client = proxyless.Client(proxyless.Bootstrap.from_env(), fallback="next-route")
    server = aio.server(interceptors=[LaneServerInterceptor()], options=[("grpc.so_reuseport", 0)])
    noted = None if notes is None else Notes(Path(notes))
    server.add_generic_rpc_handlers((Instance(service, version, os.environ["POD_NAME"], client, noted),))
    server.add_insecure_port(address)
    await server.start()
    print(SERVING, flush=True)
    await stop.wait()
    await server.stop(DRAIN)
    if client is not None:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
