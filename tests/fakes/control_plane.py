"""A control plane fed by hand: a real ADS server whose every answer is the test's own decision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import grpc
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from envoy.service.discovery.v3.discovery_pb2 import (
    DiscoveryRequest,
    DiscoveryResponse,
    ResourceError,
    ResourceName,
)
from google.protobuf.any_pb2 import Any as AnyProto
from grpc import aio

from . import resources as build


def pack(message: Any) -> AnyProto:
    """Wrap a message as xDS sends it: type.googleapis.com/…"""
    packed = AnyProto()
    packed.Pack(message)
    return packed


@dataclass(eq=False)
class Stream:
    """One client's stream, as the server sees it."""

    requests: list[DiscoveryRequest] = field(default_factory=list)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)
    """The nonce of the last response, by type."""
    outgoing: asyncio.Queue[DiscoveryResponse | None] = field(default_factory=asyncio.Queue)
    sent: int = 0

    def send(
        self,
        type_url: str,
        resources: Iterable[Any],
        version: str = "1",
        denials: Iterable[ResourceError] = (),
    ) -> str:
        """Send a response with these resources (messages, or ready-made Anys); returns its nonce."""
        self.sent += 1
        nonce = self.nonces[type_url] = f"n{self.sent}"
        packed = [each if isinstance(each, AnyProto) else pack(each) for each in resources]
        self.outgoing.put_nowait(
            DiscoveryResponse(
                type_url=type_url,
                version_info=version,
                nonce=nonce,
                resources=packed,
                resource_errors=denials,
            )
        )
        return nonce

    def end(self) -> None:
        """End the stream with OK."""
        self.outgoing.put_nowait(None)


class FakeControlPlane(AggregatedDiscoveryServiceServicer):
    """An ADS server on 127.0.0.1.

    With `automatic` it answers each subscription from `resources` and pushes whole types on `set`;
    without, the test sends through `streams`. It behaves as a plain SotW server: LDS and CDS answers list
    everything subscribed that exists, a changed subscription is answered at once.
    """

    def __init__(self, *, automatic: bool = True) -> None:
        self.automatic = automatic
        self.resources: dict[str, dict[str, Any]] = {}
        self.denials: dict[str, dict[str, ResourceError]] = {}
        self.silent = False
        """Whether it ends every stream before it has said anything."""
        self.version = 1
        self.streams: list[Stream] = []
        self.nacks: list[DiscoveryRequest] = []
        self.metadata: list[dict[str, Any]] = []
        self.nodes: list[str] = []
        self.port = 0
        self.token = ""
        """The only bearer token it takes; empty takes every client."""
        self._server: aio.Server | None = None
        self._changed = asyncio.Condition()

    # --- life ---------------------------------------------------------------------------------------------

    async def start(
        self,
        port: int = 0,
        credentials: grpc.ServerCredentials | None = None,
        options: Iterable[tuple[str, Any]] = (),
    ) -> None:
        self._server = aio.server(options=[("grpc.so_reuseport", 0), *options])
        add_AggregatedDiscoveryServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        if credentials is None:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        else:
            self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def __aenter__(self) -> FakeControlPlane:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    # --- content ------------------------------------------------------------------------------------------

    def set(self, *messages: Any) -> None:
        """Add or replace resources, and push their types to every stream that subscribed to them."""
        touched = set()
        for message in messages:
            type_url = build.type_url(message)
            self.resources.setdefault(type_url, {})[build.name_of(message)] = message
            touched.add(type_url)
        self._push(touched)

    def remove(self, *messages: Any) -> None:
        """Remove resources, and push their types."""
        touched = set()
        for message in messages:
            type_url = build.type_url(message)
            del self.resources[type_url][build.name_of(message)]
            touched.add(type_url)
        self._push(touched)

    def deny(self, message: Any, code: grpc.StatusCode, details: str) -> None:
        """Say of a resource why it cannot be had (xRFC TP3), in place of sending it."""
        type_url, name = build.type_url(message), build.name_of(message)
        self.resources.get(type_url, {}).pop(name, None)
        denial = ResourceError(resource_name=ResourceName(name=name))
        denial.error_detail.code, denial.error_detail.message = code.value[0], details
        self.denials.setdefault(type_url, {})[name] = denial
        self._push({type_url})

    def _push(self, type_urls: Iterable[str]) -> None:
        self.version += 1
        order = {url: i for i, url in enumerate((build.CDS, build.EDS, build.LDS, build.RDS))}
        for type_url in sorted(type_urls, key=lambda url: order[url]):
            for stream in self.streams:
                if type_url in stream.names:
                    self._answer(stream, type_url)

    def _answer(self, stream: Stream, type_url: str) -> None:
        held = self.resources.get(type_url, {})
        found = [held[name] for name in stream.names[type_url] if name in held]
        denied = self.denials.get(type_url, {})
        denials = [denied[name] for name in stream.names[type_url] if name in denied]
        if found or denials or type_url in (build.LDS, build.CDS):
            stream.send(type_url, found, str(self.version), denials)

    # --- waiting ------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a request makes `condition` true."""
        async with self._changed:
            await self._changed.wait_for(condition)

    # --- the service --------------------------------------------------------------------------------------

    async def StreamAggregatedResources(
        self, request_iterator: AsyncIterator[DiscoveryRequest], context: Any
    ) -> AsyncIterator[DiscoveryResponse]:
        self.metadata.append(dict(context.invocation_metadata()))
        if self.token and self.metadata[-1].get("authorization") != f"Bearer {self.token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "authentication failure")
        if self.silent:
            await context.abort(grpc.StatusCode.INTERNAL, "not today")
        stream = Stream()
        self.streams.append(stream)
        reader = asyncio.create_task(self._read(stream, request_iterator))
        try:
            while (response := await stream.outgoing.get()) is not None:
                yield response
        finally:
            reader.cancel()
            self.streams.remove(stream)
            async with self._changed:
                self._changed.notify_all()

    async def _read(self, stream: Stream, requests: AsyncIterator[DiscoveryRequest]) -> None:
        async for request in requests:
            stream.requests.append(request)
            if request.node.id:
                self.nodes.append(request.node.id)
            if self._takes(stream, request) and self.automatic:
                self._answer(stream, request.type_url)
            async with self._changed:
                self._changed.notify_all()

    def _takes(self, stream: Stream, request: DiscoveryRequest) -> bool:
        """Note what a request subscribes to; whether it is to be answered."""
        if request.HasField("error_detail"):
            self.nacks.append(request)
            return False
        before = stream.names.get(request.type_url)
        stream.names[request.type_url] = tuple(request.resource_names)
        return before is None or bool(set(request.resource_names) - set(before))
