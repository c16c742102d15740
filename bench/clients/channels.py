"""The channels that are measured beside each other, by the names of the peers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc

from bench.figures import ENVOY, GRPC, OURS, PLAIN, SECOND

WITH_LANES = "ours, lanes and metrics"
"""As a service has it: what the request carries is passed on, and OpenTelemetry is told."""


@asynccontextmanager
async def open_channel(peer: str, spec: Mapping[str, Any]) -> AsyncIterator[grpc.aio.Channel]:
    """The channel of a peer; `spec` has its target and addresses."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(await _make(peer, spec, stack))


async def _make(peer: str, spec: Mapping[str, Any], stack: AsyncExitStack) -> grpc.aio.Channel:
    name = spec["target"]
    if peer in (PLAIN, SECOND):
        # A pool of its own, or the second would be the first one's connection.
        return grpc.aio.insecure_channel(spec["plain"], options=[("grpc.use_local_subchannel_pool", 1)])
    if peer == GRPC:
        return grpc.aio.insecure_channel(name)
    if peer == ENVOY:
        authority = ("grpc.default_authority", name.removeprefix("xds:///"))
        return grpc.aio.insecure_channel(spec["sidecar"], options=[authority])
    # Not at the top: a peer's process is not to pay for the import of ours.
    import proxyless  # noqa: PLC0415

    if peer == OURS:
        client = proxyless.Client(proxyless.Bootstrap.from_env(spec["ours"]), fallback="next-route")
        return (await stack.enter_async_context(client)).channel(name)
    assert peer == WITH_LANES
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from proxyless.resources import Kind, RouteConfig  # noqa: PLC0415

    from lanes.context import current_lane_name  # noqa: PLC0415
    from lanes.grpc_client import interceptors  # noqa: PLC0415
    from telemetry.lane_labels import KnownLanes  # noqa: PLC0415
    from telemetry.observer import XdsTelemetry  # noqa: PLC0415

    provider = MeterProvider([InMemoryMetricReader()])
    stack.callback(provider.shutdown)
    known = KnownLanes("env")
    observer = XdsTelemetry(current_lane_name, provider, known=known)
    bootstrap = proxyless.Bootstrap.from_env(spec["ours"])
    client = proxyless.Client(bootstrap, fallback="next-route", observer=observer)
    # As `serving.channels` has it.
    known.routes = lambda: (
        each.resource
        for each in client.held(Kind.ROUTE_CONFIG).values()
        if isinstance(each.resource, RouteConfig)
    )
    return (await stack.enter_async_context(client)).channel(name, interceptors=interceptors())
