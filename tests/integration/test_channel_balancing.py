"""Endpoints over real connections: round robin, health, localities, priorities that fail over and back."""

from __future__ import annotations

from collections import Counter

import proxyless

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET
from .routing import with_retry


async def answers(mesh: proxyless.Client, calls: int) -> Counter[bytes]:
    multicallable = mesh.channel(TARGET).unary_unary(METHOD)
    return Counter([await multicallable(b"", timeout=20) for _ in range(calls)])


async def test_round_robin_takes_turns_among_the_healthy(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    async with Backend("ill") as ill:
        control_plane.set(*build.service(NAME, {"c": [v1.address, v2.address]}, [build.route("c")]))
        assignment = control_plane.resources[build.EDS]["c"]
        build.add_locality(assignment, [ill.address], zone="b", health="DRAINING")
        control_plane.set(assignment)
        channel = mesh.channel(TARGET)
        await channel.channel_ready()
        while len(await answers(mesh, 2)) < 2:
            pass  # the second connection is on its way
        assert await answers(mesh, 20) == {b"v1": 10, b"v2": 10}
        assert not ill.calls


async def test_localities_share_by_weight(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"c": []}, [build.route("c")]))
    assignment = build.endpoints("c")
    build.add_locality(assignment, [v1.address], zone="a", weight=9)
    build.add_locality(assignment, [v2.address], zone="b", weight=1)
    control_plane.set(assignment)
    while b"v2" not in await answers(mesh, 1):
        pass  # until both are connected
    shares = await answers(mesh, 600)
    assert 5 * shares[b"v2"] < shares[b"v1"]  # 9 to 1; 100 of 600 would be six standard deviations off


async def test_a_lower_priority_serves_while_the_higher_is_down(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"c": []}, [with_retry(build.route("c"))]))
    assignment = build.endpoints("c", v1.address)
    build.add_locality(assignment, [v2.address], zone="far", priority=1)
    control_plane.set(assignment)
    assert await answers(mesh, 5) == {b"v1": 5}
    decision = await mesh.explain(TARGET, method=METHOD)
    assert decision.endpoints == [v1.address, v2.address]
    multicallable = mesh.channel(TARGET).unary_unary(METHOD)
    address = v1.address
    await v1.stop()
    assert await multicallable(b"", timeout=20) == b"v2"
    await v1.start(address)
    while await multicallable(b"", timeout=20) != b"v1":
        pass
