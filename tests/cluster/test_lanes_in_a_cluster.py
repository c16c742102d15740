"""Lanes over real Pods: the matrix, and no request lost while rules, Pods and Istiod change."""

from __future__ import annotations

import asyncio
import time

import pytest

from deploy.cluster.mesh import ClusterMesh
from mesh.walkthrough.door import Door
from mesh.walkthrough.load import Load
from mesh.walkthrough.rules import as_yaml, everybody_to_reviews
from tests.lane_matrix import MATRIX, SHAPES, SPEC, baggage_of, check

# Pods come and go in seconds here, not in milliseconds.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
COLOURS = (None, "env=dev", "env=qa", "user=7,env=dev;ttl=1")
ENOUGH = 200
DEV = "env=dev"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lane", MATRIX)
async def test_the_matrix(door: Door, lane: str, shape: str) -> None:
    for visit in await door.visits(4, baggage_of(lane, shape)):
        check(visit, lane)


async def test_a_rule_is_followed_once_every_pod_has_taken_it(mesh: ClusterMesh, door: Door) -> None:
    async with Load(door, COLOURS) as load:
        report = await mesh.apply(everybody_to_reviews("v1"))
        assert report.ok, report.lines()
        visits = await door.visits(20, DEV)
        restored = await mesh.apply(as_yaml(SPEC))
        assert restored.ok, restored.lines()
    assert {visit.versions["reviews"] for visit in visits} == {"v1"}
    assert not load.failures
    for visit in await door.visits(4, DEV):
        check(visit, "dev")


async def test_a_rollout_loses_no_request(mesh: ClusterMesh, door: Door) -> None:
    workload = mesh.workload("reviews/v3")
    before = {pod["metadata"]["uid"] for pod in await workload.ready_pods()}
    async with Load(door, COLOURS) as load:
        await load.more(ENOUGH)
        await workload.restart(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        await workload.rolled_out()
        await load.more(ENOUGH)
    after = {pod["metadata"]["uid"] for pod in await workload.ready_pods()}
    assert before.isdisjoint(after)
    assert not load.failures


async def test_pods_that_are_added_get_calls_and_those_taken_away_lose_none(
    mesh: ClusterMesh, door: Door
) -> None:
    workload = mesh.workload("reviews/v2")
    async with Load(door, COLOURS) as load:
        await workload.scale(3)
        try:
            await workload.rolled_out()
            expected = {pod["metadata"]["name"] for pod in await workload.ready_pods()}
            assert len(expected) == 3
            served: set[str] = set()
            async with asyncio.timeout(60):
                while not expected <= served:
                    served |= {visit.instances["reviews"] for visit in await door.visits(8, DEV)}
        finally:
            await workload.scale(1)
        await workload.rolled_out()
        await workload.at_most(1)
        await load.more(ENOUGH)
    assert not load.failures


async def test_a_pod_that_is_killed_is_made_anew_and_its_lane_loses_no_request(
    mesh: ClusterMesh, door: Door
) -> None:
    workload = mesh.workload("reviews/v2")
    before = {pod["metadata"]["uid"] for pod in await workload.ready_pods()}
    async with Load(door, COLOURS) as load:
        await load.more(ENOUGH)
        await workload.end_pods()
        await workload.rolled_out()
        back = await load.until(lambda visit: visit.versions.get("reviews") == "v2", DEV)
        await load.more(ENOUGH)
    after = {pod["metadata"]["uid"] for pod in await workload.ready_pods()}
    assert before.isdisjoint(after)
    assert back is not None
    assert not load.failures


async def test_a_lane_without_a_pod_is_served_by_base_until_it_has_one(mesh: ClusterMesh, door: Door) -> None:
    async with Load(door, COLOURS) as load:
        await mesh.kill("reviews/v2")
        fell_back = await load.until(lambda visit: visit.versions.get("reviews") == "v3", DEV)
        visits = await door.visits(10, DEV)
        await mesh.start("reviews/v2")
        back = await load.until(lambda visit: visit.versions.get("reviews") == "v2", DEV)
    assert fell_back is not None
    assert back is not None
    assert {visit.versions["ratings"] for visit in visits} == {"v2"}  # back in the lane behind it
    assert not load.failures


async def test_istiod_away_and_back_loses_no_request_and_its_rules_count_again(
    mesh: ClusterMesh, door: Door
) -> None:
    async with Load(door, COLOURS) as load:
        await load.more(ENOUGH)
        await mesh.kill("controlplane")
        await load.more(ENOUGH)
        for visit in await door.visits(4, DEV):
            check(visit, "dev")
        await mesh.start("controlplane")
        report = await mesh.apply(everybody_to_reviews("v1"))
        assert report.ok, report.lines()
        for visit in await door.visits(10, DEV):
            assert visit.versions["reviews"] == "v1"
        restored = await mesh.apply(as_yaml(SPEC))
        assert restored.ok, restored.lines()
    assert not load.failures
