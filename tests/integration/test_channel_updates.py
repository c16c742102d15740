"""The drop-in channel: configuration that changes under traffic."""

from __future__ import annotations

import asyncio
from typing import Any

import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, News, bootstrap_for
from .routing import IN_LANE, LANE, call


async def test_a_missing_cluster_holds_up_only_its_own_calls(mesh_by_hand: Any, v1: Backend) -> None:
    control_plane, mesh = mesh_by_hand
    channel = mesh.channel(TARGET)
    good = asyncio.create_task(channel.unary_unary(METHOD)(b"", timeout=20)._response())
    held_up = channel.unary_unary(METHOD)(b"", metadata=LANE, timeout=20)
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    stream = control_plane.streams[0]
    routes = build.route_config(NAME, [build.route("v2", headers=IN_LANE), build.route("v1")])
    stream.send(build.LDS, [build.listener(NAME)])
    stream.send(build.RDS, [routes])
    await control_plane.until(lambda: stream.names.get(build.CDS) == ("v1", "v2"))
    stream.send(build.CDS, [build.cluster("v1")])
    stream.send(build.EDS, [build.endpoints("v1", v1.address)])
    assert await good == b"v1"
    with pytest.raises(aio.AioRpcError) as caught:
        await held_up
    assert "CDS resource 'v2' does not exist" in (caught.value.details() or "")


async def test_an_edit_takes_effect_and_a_bad_one_does_not(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [build.route("v1")]))
    assert await call(mesh) == b"v1"
    bad = [build.route("v2", headers=[build.header("x", string_match={"safe_regex": {"regex": "("}})])]
    control_plane.set(build.route_config(NAME, bad))
    await control_plane.until(lambda: bool(control_plane.nacks))
    message = control_plane.nacks[0].error_detail.message
    assert NAME in message and "routes[0].match.headers[0].string_match.safe_regex.regex" in message
    assert await call(mesh) == b"v1"
    dump = mesh.config_dump()["resources"]["RDS"]["resources"][NAME]
    assert dump["state"] == "NACKED" and "routes[0]" in dump["error"]
    control_plane.set(build.route_config(NAME, [build.route("v2")]))
    while await call(mesh) != b"v2":
        pass
    assert mesh.config_dump()["resources"]["RDS"]["resources"][NAME]["state"] == "ACKED"


def subchannels(mesh: proxyless.Client, cluster: str) -> dict[str, str]:
    connected: dict[str, str] = mesh.config_dump()["targets"][TARGET]["clusters"][cluster]["subchannels"]
    return connected


async def test_endpoints_that_leave_are_drained(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News, v2: Backend
) -> None:
    reached, hold = asyncio.Event(), asyncio.Event()

    async def wait(context: Any) -> None:
        reached.set()
        await hold.wait()

    async with Backend("v1", wait) as leaving:
        control_plane.set(*build.service(NAME, {"c": [leaving.address]}, [build.route("c")]))
        channel = mesh.channel(TARGET)
        in_flight = channel.unary_unary(METHOD)(b"", timeout=20)
        await reached.wait()
        control_plane.set(build.endpoints("c", v2.address))
        await news.until(lambda: v2.address in subchannels(mesh, "c") and len(subchannels(mesh, "c")) == 1)
        assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v2"
        hold.set()
        assert await in_flight == b"v1"


async def test_the_control_plane_comes_and_goes_without_a_failed_call(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [build.route("v1")]))
    channel = mesh.channel(TARGET)
    assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    port = control_plane.port
    await control_plane.stop()
    assert [await channel.unary_unary(METHOD)(b"", timeout=20) for _ in range(5)] == [b"v1"] * 5
    control_plane.resources[build.RDS][NAME] = build.route_config(NAME, [build.route("v2")])
    await control_plane.start(port)
    while await channel.unary_unary(METHOD)(b"", timeout=20) != b"v2":
        pass
    first = control_plane.streams[0].requests[0]
    assert first.node.id.startswith("sidecar~")


async def test_dropping_the_last_channel_never_sends_an_empty_listener_list(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    channel = mesh.channel(TARGET)
    assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    await channel.close()
    stream = control_plane.streams[0]
    await control_plane.until(lambda: stream.names.get(build.EDS) == ())
    assert stream.names[build.LDS] == (NAME,)
    control_plane.set(*build.service("other:1", {"v1": [v1.address]}, [build.route("v1")]))
    other = mesh.channel("xds:///other:1").unary_unary(METHOD)
    assert await other(b"", timeout=20) == b"v1"


async def test_a_response_over_four_mebibytes(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    routes = [
        build.route("v1", headers=[build.header("x", string_match={"exact": f"{i:0>200}"})])
        for i in range(20_000)
    ]
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [*routes, build.route("v1")]))
    config = control_plane.resources[build.RDS][NAME]
    assert config.ByteSize() > 4 * 1024 * 1024
    assert await call(mesh, timeout=50) == b"v1"


async def test_the_limit_of_a_response_can_be_set(control_plane: FakeControlPlane, v1: Backend) -> None:
    routes = [build.route("v1", prefix=f"/{i:0>200}") for i in range(100)]
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, routes))
    async with proxyless.Client(bootstrap_for(control_plane), max_response=10_000) as mesh:
        stream_failed = asyncio.create_task(control_plane.until(lambda: len(control_plane.metadata) > 1))
        waiting = mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=30)
        await stream_failed  # it was opened anew
        waiting.cancel()


async def test_fields_without_effect_are_reported_once(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News, v1: Backend
) -> None:
    made = build.service(NAME, {"v1": [v1.address]}, [build.route("v1")])
    made[1].virtual_hosts[0].include_request_attempt_count = True
    control_plane.set(*made)
    assert await call(mesh) == b"v1"
    made[1].virtual_hosts[0].name = "changed"
    control_plane.set(made[1])
    await news.until(lambda: news.updates.count(("RDS", NAME)) == 2)
    assert news.notes == [("RDS", "virtual_hosts[0].include_request_attempt_count: has no effect here")]
