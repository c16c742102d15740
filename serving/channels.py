"""Channels to other services: through the mesh for `xds:` targets, straight to the address for all others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import proxyless
from proxyless.names import parse_target
from proxyless.resources import Kind, Listener, RouteConfig

from lanes import grpc_client, propagator
from lanes.context import current_lane_name
from telemetry.grpc_spans import client_interceptors
from telemetry.lane_labels import KnownLanes
from telemetry.observer import XdsTelemetry

# Baggage alone may have 8192 bytes, which is all the metadata that grpc admits by default.
METADATA_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_metadata_size", 32 * 1024),
    ("grpc.absolute_max_metadata_size", 64 * 1024),
)


class Channels(dict[str, grpc.aio.Channel]):
    """Channels by name, and the client that those through the mesh share; None when there are none."""

    mesh: proxyless.Client | None = None

    def __init__(self, stack: AsyncExitStack, lanes: KnownLanes) -> None:
        super().__init__()
        self._stack = stack
        self.lanes = lanes
        self.routed: list[str] = []
        """The targets that go through the mesh."""

    async def client(self) -> proxyless.Client:
        """The client of the mesh, set up from the environment when first asked for."""
        if self.mesh is None:
            client = proxyless.Client(
                proxyless.Bootstrap.from_env(),
                fallback="next-route",
                observer=XdsTelemetry(lane=current_lane_name, known=self.lanes),
            )
            self.lanes.routes = lambda: _routes(client)
            self.mesh = await self._stack.enter_async_context(client)
        return self.mesh


def _routes(client: proxyless.Client) -> Iterator[RouteConfig]:
    """Every routing table the client holds, those inside listeners included."""
    for held in client.held(Kind.ROUTE_CONFIG).values():
        if isinstance(held.resource, RouteConfig):
            yield held.resource
    for held in client.held(Kind.LISTENER).values():
        if isinstance(held.resource, Listener) and held.resource.route_config is not None:
            yield held.resource.route_config


@asynccontextmanager
async def open_channels(
    targets: Mapping[str, str], lanes: KnownLanes | None = None
) -> AsyncIterator[Channels]:
    """A channel for each target, by the same names; calls on them carry what the current request carries.

    All `xds:` targets share one client, set up from the environment, for which a lane without a usable
    version of a service falls through to the next route. `lanes` come to know those of its routes. Raises
    XdsError when that set-up is not usable.
    """
    propagator.install()
    async with AsyncExitStack() as stack:
        channels = Channels(stack, lanes or KnownLanes("env"))
        for name, target in targets.items():
            # The lane's come first: what they decide is what the spans' own leave alone.
            interceptors = [*grpc_client.interceptors(), *client_interceptors()]
            channel: grpc.aio.Channel
            if target.startswith("xds:"):
                mesh = await channels.client()
                channels.routed.append(parse_target(target).uri)
                channel = mesh.channel(target, interceptors=interceptors)
            else:
                channel = grpc.aio.insecure_channel(target, interceptors=interceptors)
            channels[name] = await stack.enter_async_context(channel)
        yield channels
