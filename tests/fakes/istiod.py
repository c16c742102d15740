"""A control plane with the habits of a stock Istiod, as its ADS server shows them on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from . import resources as build
from .control_plane import FakeControlPlane, Stream

_ORDER = (build.CDS, build.EDS, build.LDS, build.RDS)


class FakeIstiod(FakeControlPlane):
    """An ADS server as Istiod's `pilot/pkg/xds`: `ShouldRespond` decides what it answers.

    A push lists every listener, route and cluster of the subscription, and of the endpoints only those that
    changed; a request with a stale nonce is dropped; the names in a NACK are ignored; a list of no names,
    once there were some, is a wildcard for LDS and CDS. `refusals` streams are turned away first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0
        self.stale: list[DiscoveryRequest] = []
        self.wildcards: list[str] = []

    def set(self, *messages: Any) -> None:
        """Add or replace resources, and push."""
        for message in messages:
            self.resources.setdefault(build.type_url(message), {})[build.name_of(message)] = message
        self.push(build.name_of(each) for each in messages if build.type_url(each) == build.EDS)

    def push(self, endpoints_changed: Iterable[str] = ()) -> None:
        """Send every stream all it subscribed to, whether it has changed or not; of endpoints, these."""
        self.version += 1
        changed = set(endpoints_changed)
        for stream in self.streams:
            for type_url in _ORDER:
                if type_url not in stream.names:
                    continue
                held = self.resources.get(type_url, {})
                names = [n for n in stream.names[type_url] if n in held]
                if type_url == build.EDS:
                    names = [n for n in names if n in changed]
                if names or type_url in (build.LDS, build.CDS):
                    stream.send(type_url, [held[n] for n in names], str(self.version))

    async def StreamAggregatedResources(
        self, request_iterator: AsyncIterator[DiscoveryRequest], context: Any
    ) -> AsyncIterator[DiscoveryResponse]:
        if self.refusals:
            self.refusals -= 1
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "request rate limit exceeded")
        async for response in super().StreamAggregatedResources(request_iterator, context):
            yield response

    def _takes(self, stream: Stream, request: DiscoveryRequest) -> bool:
        """Note what a request subscribes to; whether it is to be answered."""
        if request.response_nonce and request.response_nonce != stream.nonces.get(request.type_url):
            self.stale.append(request)
            return False
        if request.HasField("error_detail"):
            self.nacks.append(request)
            return False
        before = stream.names.get(request.type_url)
        names = tuple(request.resource_names)
        if before and not names and request.type_url in (build.LDS, build.CDS):
            self.wildcards.append(request.type_url)
            names = tuple(self.resources.get(request.type_url, {}))
        stream.names[request.type_url] = names
        return before is None or bool(set(names) - set(before))
