"""The metrics of real calls, under the names of gRFCs A66, A78, A89, A94 and A96."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import proxyless
import pytest
import pytest_asyncio

from telemetry.xds_metrics import LATENCIES, XdsMetrics
from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.telemetry import KINDS, Seen, call

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import RETRY, unavailable_first


@pytest_asyncio.fixture
async def mesh(control_plane: FakeControlPlane, seen: Seen) -> AsyncIterator[proxyless.Client]:
    async with proxyless.Client(bootstrap_for(control_plane), observer=seen) as client:
        yield client


def labels(**values: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name.replace("_", "."), value) for name, value in values.items()))


async def test_calls_and_attempts(
    control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen
) -> None:
    async with Backend("v1", unavailable_first(1)) as backend:
        route = build.route("v", prefix="/test.")
        route["route"]["retry_policy"] = RETRY
        where = build.endpoints("v")
        build.add_locality(where, [backend.address], zone="z1")
        control_plane.set(build.listener(NAME), build.route_config(NAME, [route]), build.cluster("v"), where)
        channel = mesh.channel(TARGET)
        for _ in range(2):
            await channel.unary_unary(METHOD)(b"", timeout=20)
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/other.Service/Call")(b"", timeout=20)
        await seen.calls_ended(3)
    common = {"grpc_method": METHOD[1:], "grpc_target": TARGET}
    assert seen.metric("grpc.client.attempt.started") == {labels(**common): 3}
    at = {"grpc.lb.backend_service": "v", "grpc.lb.locality": '{region="", zone="z1", sub_zone=""}'}
    assert seen.metric("grpc.client.attempt.duration") == {
        tuple(sorted({**dict(labels(**common, grpc_status=status)), **at}.items())): number
        for status, number in (("OK", 2), ("UNAVAILABLE", 1))
    }
    assert seen.metric("grpc.client.call.duration") == {
        labels(**common, grpc_status="OK"): 2,
        labels(grpc_method="other.Service/Call", grpc_target=TARGET, grpc_status="UNAVAILABLE"): 1,
    }
    assert seen.metric("grpc.client.call.retries") == {labels(**common): 1}


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_of_every_kind_end_once(
    control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen, v1: Backend, kind: str
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    channel = mesh.channel(TARGET)
    await call(channel, kind)  # waits for its configuration
    await channel.channel_ready()
    await call(channel, kind)  # goes at once
    await seen.calls_ended(2)
    common = {"grpc_method": f"test.Service/{kind}", "grpc_target": TARGET}
    assert seen.metric("grpc.client.attempt.started") == {labels(**common): 2}
    assert list(seen.metric("grpc.client.attempt.duration").values()) == [2]
    assert seen.metric("grpc.client.call.duration") == {labels(**common, grpc_status="OK"): 2}


async def test_a_cancelled_call(control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen) -> None:
    waiting = mesh.channel(TARGET).unary_unary(METHOD)(b"")
    waiting.cancel()
    await seen.calls_ended(1)
    key = labels(grpc_method=METHOD[1:], grpc_target=TARGET, grpc_status="CANCELLED")
    assert seen.metric("grpc.client.call.duration") == {key: 1}
    assert seen.metric("grpc.client.attempt.started") == {}


def resources(seen: Seen) -> dict[tuple[str, str], int]:
    """How many resources of a type are in a state, as far as any are."""
    return {
        (dict(key)["grpc.xds.resource_type"].rpartition(".")[2], dict(key)["grpc.xds.cache_state"]): value
        for key, value in seen.metric("grpc.xds_client.resources").items()
        if value
    }


async def test_the_states_of_resources(
    control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen, v1: Backend
) -> None:
    routes = [build.route("v1", prefix="/test."), build.route("gone")]
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, routes))
    channel = mesh.channel(TARGET)
    assert resources(seen) == {("Listener", "requested"): 1}
    await call(channel, "UnaryUnary")
    all_good = {("Listener", "acked"): 1, ("RouteConfiguration", "acked"): 1, ("Cluster", "acked"): 1}
    all_good |= {("Cluster", "does_not_exist"): 1, ("ClusterLoadAssignment", "acked"): 1}
    assert resources(seen) == all_good
    keys = {tuple(name for name, _ in key) for key in seen.metric("grpc.xds_client.resources")}
    assert keys == {("grpc.target", "grpc.xds.authority", "grpc.xds.cache_state", "grpc.xds.resource_type")}
    valid = seen.metric("grpc.xds_client.resource_updates_valid")
    server = {"grpc_target": "#client", "grpc_xds_server": control_plane.address}
    listeners = tuple(
        sorted((*labels(**server), ("grpc.xds.resource_type", "envoy.config.listener.v3.Listener")))
    )
    assert valid[listeners] == 1

    control_plane.set(build.listener(NAME))  # the same again: nothing changed, but it was received
    broken = build.route("v1", headers=[build.header("x", string_match={"safe_regex": {"regex": "("}})])
    control_plane.set(build.route_config(NAME, [broken]))
    await control_plane.until(
        lambda: any(r.HasField("error_detail") for r in control_plane.streams[0].requests)
    )
    assert resources(seen) == {
        **{key: value for key, value in all_good.items() if key[0] != "RouteConfiguration"},
        ("RouteConfiguration", "nacked_but_cached"): 1,
    }
    assert sum(seen.metric("grpc.xds_client.resource_updates_invalid").values()) == 1
    assert seen.metric("grpc.xds_client.resource_updates_valid")[listeners] == 2
    await channel.close()
    assert resources(seen) == {}


async def test_a_control_plane_that_comes_and_goes(seen: Seen) -> None:
    async with FakeControlPlane() as first:
        address = first.address
    bootstrap = proxyless.Bootstrap.from_env({"XDS_ADDRESS": address, "POD_NAME": "test"})
    key = labels(grpc_target="#client", grpc_xds_server=address)
    async with proxyless.Client(bootstrap, observer=seen, reconnect=(0.01, 0.05)) as mesh:
        mesh.channel(TARGET)
        await seen.until("grpc.xds_client.connected", {key: 0})
        assert seen.metric("grpc.xds_client.server_failure") == {key: 1}


async def test_connections(control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen) -> None:
    key = labels(grpc_target=TARGET)
    async with Backend("v1") as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        await call(mesh.channel(TARGET), "UnaryUnary")
        assert seen.metric("grpc.subchannel.connection_attempts_succeeded") == {key: 1}
        assert seen.metric("grpc.subchannel.open_connections") == {key: 1}
    await seen.until("grpc.subchannel.disconnections", {key: 1})
    assert seen.metric("grpc.subchannel.open_connections") == {key: 0}
    await seen.until_there("grpc.subchannel.connection_attempts_failed")


async def test_names_and_units_are_grpcs(
    control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    await call(mesh.channel(TARGET), "UnaryUnary")
    await seen.calls_ended(1)
    assert seen.units() == {
        "grpc.xds_client.connected": "{bool}",
        "grpc.xds_client.resource_updates_valid": "{resource}",
        "grpc.xds_client.resource_updates_invalid": "{resource}",
        "grpc.xds_client.resources": "{resource}",
        "grpc.subchannel.connection_attempts_succeeded": "{attempt}",
        "grpc.subchannel.open_connections": "{connection}",
        "grpc.client.attempt.started": "{attempt}",
        "grpc.client.attempt.duration": "s",
        "grpc.client.call.duration": "s",
    }
    (bounds,) = {
        point.explicit_bounds
        for metric in seen.metrics()
        if metric.unit == "s" and metric.name.endswith("call.duration")
        for point in metric.data.data_points
    }
    assert tuple(bounds) == LATENCIES


def test_optional_labels_are_asked_for_by_name() -> None:
    with pytest.raises(
        ValueError, match=r"grpc\.lb\.zone: not among grpc\.lb\.backend_service, grpc\.lb\.locality"
    ):
        XdsMetrics(labels=["grpc.lb.zone"])


_SERVICE = """
import asyncio, os
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from serving.channels import open_channels

async def main():
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    async with open_channels({"reviews": os.environ["TARGET"]}) as channels:
        await channels["reviews"].unary_unary(os.environ["METHOD"])(b"", timeout=20)
    for resource in reader.get_metrics_data().resource_metrics:
        for scope in resource.scope_metrics:
            print(scope.scope.name, *(metric.name for metric in scope.metrics))

asyncio.run(main())
"""


async def test_the_channels_of_the_services_have_it(control_plane: FakeControlPlane, v1: Backend) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SERVICE),
        env={"XDS_ADDRESS": control_plane.address, "POD_NAME": "me", "TARGET": TARGET, "METHOD": METHOD},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    scope, *names = out.decode().split()
    assert scope == "proxyless"
    assert {"grpc.xds_client.resources", "grpc.client.attempt.started"} <= set(names)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_call_cancelled_on_its_way_ends_once(
    control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen, kind: str, at_once: bool
) -> None:
    there = asyncio.Event()

    async def hold(context: Any) -> None:
        there.set()
        await asyncio.get_running_loop().create_future()

    async with Backend("v1", hold) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        channel = mesh.channel(TARGET)
        if at_once:
            await channel.channel_ready()
        calling = asyncio.create_task(call(channel, kind))
        await there.wait()
        calling.cancel()
        await asyncio.wait([calling])
        await seen.calls_ended(1)
        method = {"grpc_method": f"test.Service/{kind}", "grpc_target": TARGET}
        key = labels(**method, grpc_status="CANCELLED")
        assert seen.metric("grpc.client.call.duration") == {key: 1}
        assert seen.metric("grpc.client.attempt.started") == {labels(**method): 1}
        await seen.until_there("grpc.client.attempt.duration")
        assert list(seen.metric("grpc.client.attempt.duration").values()) == [1]
