"""`python -m bench.plane`: a scripted ADS server, ordered by JSON over gRPC what to serve and to push.

Responses are made of bytes prepared before, so that a push costs the same however much it says, and its time
is taken just before it is written. The clock is CLOCK_MONOTONIC, which the processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import ChainMap, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import click
import grpc
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any as AnyProto

from bench.scenes import SCENES

ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
ORDER = "/bench.Plane/Order"
PREFIX = "type.googleapis.com/"
TYPES = tuple(
    f"{PREFIX}envoy.config.{name}"
    for name in (
        "cluster.v3.Cluster",
        "endpoint.v3.ClusterLoadAssignment",
        "listener.v3.Listener",
        "route.v3.RouteConfiguration",
    )
)
"""In the order in which changes are pushed."""
WHOLE = (TYPES[0], TYPES[2])
"""Those whose responses list all that exists."""

Held = Mapping[tuple[str, str], bytes]
"""Resources by type and name, each as the bytes that it takes in a DiscoveryResponse."""


def packed(messages: Iterable[Any]) -> dict[tuple[str, str], bytes]:
    """The resources of a scene, ready to be sent."""
    found = {}
    for message in messages:
        any_ = AnyProto()
        any_.Pack(message)
        name = getattr(message, "cluster_name", "") or message.name
        found[any_.type_url, name] = DiscoveryResponse(resources=[any_]).SerializeToString()
    return found


class Stream:
    """One client's stream."""

    def __init__(self, held: Held) -> None:
        self.held: ChainMap[tuple[str, str], bytes] = ChainMap({}, held)  # type: ignore[arg-type]
        self.node = ""
        self.names: dict[str, list[str]] = {}
        self.dirty: set[str] = set()
        self.sent: dict[str, str] = {}
        self.answered: dict[str, str] = {}
        self.last_answer = 0.0
        self.outgoing: deque[bytes] = deque()
        self.woken = asyncio.Event()
        self._count = 0

    def send(self, type_url: str, names: Iterable[str]) -> None:
        """Send these resources, as far as they exist."""
        found = [self.held[type_url, name] for name in names if (type_url, name) in self.held]
        if not found and type_url not in WHOLE:
            return
        self._count += 1
        nonce = self.sent[type_url] = f"n{self._count}"
        head = DiscoveryResponse(type_url=type_url, version_info=str(self._count), nonce=nonce)
        # Two messages one after the other are one that has the fields of both.
        self.outgoing.append(b"".join((head.SerializeToString(), *found)))
        self.woken.set()

    def push(self, change: Held) -> None:
        """Send what of a change this client has subscribed to, in the order of the change."""
        self.held.maps[0].update(change)
        for type_url in TYPES:
            wanted = self.names.get(type_url, [])
            known = set(wanted)
            changed = [name for kind, name in change if kind == type_url and name in known]
            if changed:
                self.send(type_url, wanted if type_url in WHOLE else changed)

    def flush(self) -> None:
        """Answer the subscriptions that have changed."""
        for type_url in [each for each in TYPES if each in self.dirty]:
            self.dirty.discard(type_url)
            self.send(type_url, self.names[type_url])

    def take(self, request: DiscoveryRequest) -> bool:
        """Note what a request says; whether it subscribes to anything new."""
        type_url = request.type_url
        self.node = request.node.id or self.node
        if request.response_nonce:
            self.answered[type_url] = request.response_nonce
            self.last_answer = time.perf_counter()
        before = set(self.names.get(type_url, ()))
        self.names[type_url] = list(request.resource_names)
        if set(request.resource_names) <= before:
            return False
        self.dirty.add(type_url)
        return True

    @property
    def settled(self) -> bool:
        """Whether it has answered all that it was sent."""
        return not self.dirty and self.sent == self.answered


class Plane(grpc.GenericRpcHandler):
    """The server, and what it holds."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], bytes] = {}
        self.prepared: dict[str, dict[tuple[str, str], bytes]] = {}
        self.streams: list[Stream] = []
        self.refused: dict[str, str] = {}
        self.opened: dict[str, int] = {}
        self._moved = asyncio.Condition()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Of ADS one method, and the orders."""
        if handler_call_details.method == ADS:
            return grpc.stream_stream_rpc_method_handler(
                self._stream, request_deserializer=DiscoveryRequest.FromString
            )
        return grpc.unary_unary_rpc_method_handler(self._order) if (
            handler_call_details.method == ORDER
        ) else None  # fmt: skip

    async def _stream(self, requests: AsyncIterator[DiscoveryRequest], context: Any) -> AsyncIterator[bytes]:
        stream = Stream(self.held)
        self.streams.append(stream)
        reading = asyncio.create_task(self._read(stream, requests))
        try:
            while True:
                await stream.woken.wait()
                stream.woken.clear()
                while stream.outgoing:
                    yield stream.outgoing.popleft()
        finally:
            reading.cancel()
            self.streams.remove(stream)

    async def _read(self, stream: Stream, requests: AsyncIterator[DiscoveryRequest]) -> None:
        loop = asyncio.get_running_loop()
        async for request in requests:
            if not stream.node:
                self.opened[request.node.id] = self.opened.get(request.node.id, 0) + 1
            if request.HasField("error_detail"):
                self.refused[request.node.id or stream.node] = request.error_detail.message
            if stream.take(request):
                # A client that asks for a thousand names one by one is answered once for what has come.
                loop.call_soon(stream.flush)
            async with self._moved:
                self._moved.notify_all()

    async def _order(self, request: bytes, context: Any) -> bytes:
        order = json.loads(request)
        answer = await getattr(self, f"do_{order.pop('do')}")(**order)
        return json.dumps(answer).encode()

    # --- orders -------------------------------------------------------------------------------------------

    async def do_serve(self, scene: str, params: Mapping[str, Any]) -> dict[str, int]:
        """Hold this scene and nothing else, for streams opened from now on; returns the bytes by type."""
        self.held.clear()
        self.prepared.clear()
        self.opened.clear()
        self.refused.clear()
        self.held.update(packed(SCENES[scene](**params)))
        return {each: sum(len(v) for (t, _), v in self.held.items() if t == each) for each in TYPES}

    async def do_prepare(self, key: str, scene: str, params: Mapping[str, Any]) -> dict[str, int]:
        """Make a change ready to be pushed; returns its bytes."""
        self.prepared[key] = packed(SCENES[scene](**params))
        return {"bytes": sum(map(len, self.prepared[key].values()))}

    async def do_push(self, key: str, node: str) -> dict[str, float]:
        """Push a prepared change to one client; returns when."""
        at = time.perf_counter()
        for stream in self._of(node):
            stream.push(self.prepared[key])
        return {"at": at}

    async def do_settled(self, node: str, whole: bool = True) -> dict[str, float]:
        """Wait until a client has answered all it was sent, and asked for all there is; returns when."""
        everything = self.held.keys() if whole else set()

        def settled() -> bool:
            mine = self._of(node)  # gRPC opens a stream for each target
            wanted = {(kind, name) for each in mine for kind, names in each.names.items() for name in names}
            return bool(mine) and all(each.settled for each in mine) and wanted >= everything

        async with self._moved:
            await self._moved.wait_for(settled)
        return {"at": max(each.last_answer for each in self._of(node))}

    async def do_status(self, node: str) -> dict[str, Any]:
        """How many streams a client has opened, and what it refused last."""
        return {"opened": self.opened.get(node, 0), "refused": self.refused.get(node, "")}

    def _of(self, node: str) -> list[Stream]:
        return [each for each in self.streams if each.node == node]


async def serve() -> None:
    """Serve until killed; the first line of output says where."""
    server = grpc.aio.server(
        handlers=[Plane()],
        options=[("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1)],
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    click.echo(f"127.0.0.1:{port}")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
