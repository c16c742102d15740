"""Channels to other services: through the mesh for `xds:` targets, straight to the address for all others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import proxyless

from lanes import grpc_client
from lanes.context import current
from telemetry.observer import XdsTelemetry

# Baggage alone may have 8192 bytes, which is all the metadata that grpc admits by default.
METADATA_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_metadata_size", 32 * 1024),
    ("grpc.absolute_max_metadata_size", 64 * 1024),
)


class Channels(dict[str, grpc.aio.Channel]):
    """Channels by name, and the client that those through the mesh share; None when there are none."""

    mesh: proxyless.Client | None = None

    def __init__(self, stack: AsyncExitStack) -> None:
        super().__init__()
        self._stack = stack

    async def client(self) -> proxyless.Client:
        """The client of the mesh, set up from the environment when first asked for."""
        if self.mesh is None:
            client = proxyless.Client(
                proxyless.Bootstrap.from_env(),
                fallback="next-route",
                observer=XdsTelemetry(lane=lambda: current().lane_name),
            )
            self.mesh = await self._stack.enter_async_context(client)
        return self.mesh


@asynccontextmanager
async def open_channels(targets: Mapping[str, str]) -> AsyncIterator[Channels]:
    """A channel for each target, by the same names; calls on them carry what the current request carries.

    All `xds:` targets share one client, set up from the environment, for which a lane without a usable
    version of a service falls through to the next route. Raises XdsError when that set-up is not usable.
    """
    async with AsyncExitStack() as stack:
        channels = Channels(stack)
        for name, target in targets.items():
            interceptors = grpc_client.interceptors()
            channel: grpc.aio.Channel
            if target.startswith("xds:"):
                mesh = await channels.client()
                channel = mesh.channel(target, interceptors=interceptors)
            else:
                channel = grpc.aio.insecure_channel(target, interceptors=interceptors)
            channels[name] = await stack.enter_async_context(channel)
        yield channels
