"""The drop-in channel: lanes whose cluster has nothing usable, and those that come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import LANE, call, lane_routes, with_retry


@pytest.fixture
async def permissive(control_plane: FakeControlPlane) -> AsyncIterator[proxyless.Client]:
    async with proxyless.Client(bootstrap_for(control_plane), fallback="next-route") as client:
        yield client


# --- fallback ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["no endpoints", "unhealthy", "unreachable", "no cluster"])
async def test_a_lane_without_a_usable_endpoint(
    how: str,
    control_plane: FakeControlPlane,
    permissive: proxyless.Client,
    mesh: proxyless.Client,
    v1: Backend,
) -> None:
    backends = {"v1": [v1.address], "v2": ["127.0.0.1:1"] if how == "unreachable" else []}
    if how == "no cluster":
        del backends["v2"]
    control_plane.set(*build.service(NAME, backends, lane_routes()))
    if how == "unhealthy":
        control_plane.set(build.endpoints("v2", "127.0.0.1:1", health="UNHEALTHY"))
    assert await call(permissive, LANE) == b"v1"
    decision = await permissive.explain(TARGET, method=METHOD, metadata=LANE)
    assert decision.cluster == "v1"
    assert any("lane-dev" in step and "v2" in step for step in decision.steps)
    with pytest.raises(aio.AioRpcError) as caught:
        await call(mesh, LANE)  # without fallback the call fails, naming the cluster
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "v2" in (caught.value.details() or "")


async def test_a_strict_lane_refuses_and_says_which_cluster_had_nothing(
    control_plane: FakeControlPlane, permissive: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": []}, lane_routes(strict=True)))
    with pytest.raises(aio.AioRpcError) as caught:
        await call(permissive, LANE)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "lane-dev-strict" in (caught.value.details() or "")
    assert "cluster v2: it has no endpoints" in (caught.value.details() or "")
    assert await call(permissive) == b"v1"


async def test_an_instance_that_dies_fails_no_call_and_its_lane_comes_back(
    control_plane: FakeControlPlane, permissive: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    routes = [with_retry({**route}) for route in lane_routes()]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, routes))
    channel = permissive.channel(TARGET)
    multicallable = channel.unary_unary(METHOD)
    assert await multicallable(b"", metadata=LANE, timeout=20) == b"v2"
    answers: list[bytes] = []

    async def drive() -> None:
        while answers[-3:] != [b"v1"] * 3:
            answers.append(await multicallable(b"", metadata=LANE, timeout=20))

    driving = [asyncio.create_task(drive()) for _ in range(8)]
    address = v2.address
    await v2.stop(None)
    await asyncio.gather(*driving)
    await v2.start(address)
    while await multicallable(b"", metadata=LANE, timeout=20) != b"v2":
        pass


async def test_weighted_clusters_draw_again_among_the_usable(
    control_plane: FakeControlPlane, permissive: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    routes = [build.route({"gone": 1000, "v2": 1}), build.route("v1")]
    control_plane.set(*build.service(NAME, {"gone": [], "v2": [v2.address], "v1": [v1.address]}, routes))
    assert {await call(permissive) for _ in range(20)} == {b"v2"}
