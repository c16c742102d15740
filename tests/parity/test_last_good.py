"""A resource that breaks a rule: both clients refuse it and go on with the last good version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from envoy.config.listener.v3.listener_pb2 import Listener

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.parity.cases import METHOD, REFUSED
from tests.parity.conftest import Driver
from tests.parity.rows import CASES

pytestmark = pytest.mark.asyncio(loop_scope="session")


def filters(**types: str) -> list[dict[str, Any]]:
    """HTTP filters: names and types."""
    return [{"name": n, "typed_config": {"@type": f"type.googleapis.com/{t}"}} for n, t in types.items()]


FAULT = "envoy.extensions.filters.http.fault.v3.HTTPFault"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
OTHER = "envoy.config.route.v3.Route"

Bad = Callable[[str, str], Any]
"""From a name and the address of v1 to a resource that breaks a rule."""

BAD_ROUTES: Mapping[str, Bad] = {
    case.name: lambda name, _, case=case: replace(case, listener=name).resources[1]  # type: ignore[misc]
    for case in CASES
    if case.expected == REFUSED and case.grpc is None
}
BAD: Mapping[str, Bad] = {
    **BAD_ROUTES,
    "listener: for a socket": lambda name, _: Listener(name=name),
    "listener: no router": lambda name, _: build.listener(name, http_filters=filters(f=FAULT)),
    "listener: router first": lambda name, _: build.listener(name, http_filters=filters(r=ROUTER, f=FAULT)),
    "listener: a filter nobody knows": lambda name, _: build.listener(
        name, http_filters=filters(x=OTHER, r=ROUTER)
    ),
    "cluster: static": lambda name, _: build.cluster(name, type="STATIC"),
    "cluster: a type nobody knows": lambda name, _: build.cluster(name, cluster_type={"name": "x"}),
    "endpoints: no priority 0": lambda name, v1: build.endpoints(name, v1, priority=1),
    "endpoints: one twice": lambda name, v1: build.endpoints(name, v1, v1),
    "endpoints: no IP address": lambda name, _: build.endpoints(name, "reviews:9080"),
}


def repaired(bad: Any, name: str, v2: str) -> Any:
    """A good version of a bad resource, which leads to v2."""
    to_v2 = build.route_config(name, [build.route("v2")])
    return {
        build.LDS: build.listener(name, to_v2),
        build.RDS: to_v2,
        build.CDS: build.cluster(name, eds_cluster_config={"service_name": "v2"}),
        build.EDS: build.endpoints(name, v2),
    }[build.type_url(bad)]


def address(plane: FakeControlPlane, cluster: str) -> str:
    """The one endpoint of a cluster."""
    socket = plane.resources[build.EDS][cluster].endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    return f"{socket.address}:{socket.port_value}"


@pytest.mark.parametrize("why", BAD)
async def test_the_last_good_version_stays(
    plane: FakeControlPlane, ours: Driver, theirs: Driver, why: str
) -> None:
    name = f"good-{list(BAD).index(why)}:9080"
    v1, v2 = address(plane, "v1"), address(plane, "v2")
    bad = BAD[why](name, v1)
    plane.set(*build.service(name, {name: [v1]}, [build.route(name)]))

    async def goes_to(client: Driver) -> list[str]:
        return await client.call(f"xds:///{name}", METHOD, ())

    for client in (ours, theirs):
        assert await goes_to(client) == ["v1"]
        assert not client.refusals(plane, name)
    plane.set(bad)
    for client in (ours, theirs):
        await plane.until(lambda client=client: bool(client.refusals(plane, name)))  # type: ignore[misc]
        assert await goes_to(client) == ["v1"]
    plane.set(repaired(bad, name, v2))
    for client in (ours, theirs):
        while await goes_to(client) != ["v2"]:
            pass  # not there yet
        await client.close(f"xds:///{name}")
