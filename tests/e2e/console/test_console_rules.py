"""Weights, faults and YAML changed through the console, seen by requests, and taken back."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from mesh import Mesh
from mesh.walkthrough.door import Door
from tests.e2e.console.conftest import Console
from tests.fakes.lanes_command import Lanes, rules

pytestmark = pytest.mark.asyncio(loop_scope="session")

ODD = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v1}
    timeoutt: 1s
"""
RULE = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v2}
"""


async def split(door: Door, count: int = 40, baggage: str | None = None) -> Counter[str]:
    visits = await door.visits(count, baggage)
    assert [visit.errors for visit in visits if not visit.ok] == []
    return Counter(visit.versions["reviews"] for visit in visits)


async def test_weights_change_the_split_and_undo_gives_it_back(console: Console, door: Door) -> None:
    answer = await console.act("weights", service="reviews", weights={"v1": 50, "v3": 50})
    assert answer["action"]["milliseconds"] > 0
    assert answer["action"]["title"] == "Weights of reviews: v1 50 %, v3 50 %"
    assert any("acknowledged by" in line for line in answer["action"]["lines"])
    assert console.newest == answer["action"]
    found = await split(door)
    assert set(found) == {"v1", "v3"}
    undone = await console.undo(answer)
    assert await split(door) == {"v1": 40}
    assert [each["undone"] for each in console.published[-1]["actions"]] == [False, True]
    again = await console.undo(undone)
    assert set(await split(door)) == {"v1", "v3"}
    await console.undo(again)
    assert await split(door) == {"v1": 40}


async def test_weights_of_what_is_not_there_are_refused(console: Console) -> None:
    error = await console.refused(409, "weights", service="reviews", weights={"v9": 100})
    assert error["message"] == "There is no reviews v9 in this mesh; there are v1, v2, v3."
    error = await console.refused(409, "weights", service="nobody", weights={"v1": 100})
    assert "There is no service 'nobody'" in error["message"]
    error = await console.refused(400, "weights", service="reviews", weights={"v1": 99})
    assert error["message"] == "weights sum to 99, not 100."
    assert console.published == []


async def test_a_refused_yaml_changes_nothing_and_says_where(console: Console, mesh: Mesh) -> None:
    before = await rules(mesh)
    error = await console.refused(422, "apply", yaml=ODD)
    assert error["details"] and all("YAML:10" in line or "timeoutt" in line for line in error["details"])
    assert any("spec.http[0]" in line for line in error["details"])
    status, answer = await console.ask("validate", yaml=ODD)
    assert (status, answer["ok"], answer["details"]) == (200, False, error["details"])
    error = await console.refused(422, "apply", yaml="a: [")
    assert "is not YAML" in error["details"][0]
    assert await rules(mesh) == before
    assert console.published == []


async def test_yaml_is_applied_deleted_and_put_back(console: Console, door: Door) -> None:
    status, answer = await console.ask("validate", yaml=RULE)
    assert (status, answer["ok"], answer["details"]) == (200, True, [])
    applied = await console.act("apply", yaml=RULE)
    assert await split(door, 10) == {"v2": 10}
    deleted = await console.act("delete", kind="VirtualService", namespace="default", name="reviews")
    assert len(await split(door)) > 1
    await console.undo(deleted)
    assert await split(door, 10) == {"v2": 10}
    await console.undo(applied)
    assert await split(door, 10) == {"v1": 10}
    await console.refused(404, "delete", kind="VirtualService", namespace="default", name="nobody")


async def test_what_the_mesh_itself_writes_is_not_edited(console: Console, mesh: Mesh) -> None:
    async with console.session.get(f"{console.url}/mesh/api/objects") as response:
        objects = (await response.json())["objects"]
    managed = {(each["kind"], each["name"]) for each in objects if each["managed"]}
    assert ("WorkloadEntry", "reviews-v1") in managed
    assert {kind for kind, _ in managed} == {"WorkloadEntry", "ServiceEntry"}
    entry = next(each for each in objects if each["name"] == "reviews-v1")
    error = await console.refused(422, "apply", yaml=entry["yaml"])
    assert "the mesh's own" in error["details"][0]
    await console.refused(422, "delete", kind="WorkloadEntry", namespace="default", name="reviews-v1")


async def test_a_fault_is_seen_by_requests_until_it_is_cleared(console: Console, door: Door) -> None:
    aborted = await console.act(
        "fault", service="reviews", lane="", delay_ms=None, abort="UNAVAILABLE", percent=100
    )
    visits = await door.visits(5)
    assert all(any("UNAVAILABLE" in error for error in visit.errors) for visit in visits)
    await console.undo(aborted)
    assert (await door.visit()).ok

    async def took() -> float:
        began = asyncio.get_running_loop().time()
        assert (await door.visit()).ok
        return asyncio.get_running_loop().time() - began

    delayed = await console.act(
        "fault", service="details", lane="base", delay_ms=400, abort=None, percent=100
    )
    assert await took() >= 0.4
    await console.act("clear-fault", service="details", lane="base")
    assert await took() < 0.4
    error = await console.refused(409, "clear-fault", service="details", lane="base")
    assert error["message"] == "There is no fault at details for base to clear."
    error = await console.refused(409, "undo", id=delayed["action"]["id"])
    assert "“Clear the faults of calls to details that base serves”; undo that first" in error["message"]


async def test_a_fault_of_a_lane_hits_that_lane_alone(console: Console, door: Door) -> None:
    made = await console.act("lane-create", name="dev", versions={"reviews": "v2"}, mode="permissive")
    at_own = await console.act(
        "fault", service="reviews", lane="dev", delay_ms=None, abort="UNAVAILABLE", percent=100
    )
    assert (await door.visit()).ok
    assert "reviews" not in (await door.visit("env=dev")).versions
    await console.act("clear-fault", service="reviews", lane="dev")
    assert (await door.visit("env=dev")).versions["reviews"] == "v2"
    at_base = await console.act(
        "fault", service="details", lane="dev", delay_ms=None, abort="NOT_FOUND", percent=100
    )
    assert (await door.visit()).ok
    assert any("NOT_FOUND" in error for error in (await door.visit("env=dev")).errors)
    await console.act("clear-fault", service="details", lane="")
    assert (await door.visit("env=dev")).ok
    assert at_own["action"]["title"] == "Abort with UNAVAILABLE for 100 % of calls to reviews in the lane dev"
    assert at_base["ok"]
    await console.act("lane-delete", name="dev")
    await console.refused(409, "undo", id=made["action"]["id"])


async def test_what_somebody_else_has_changed_since_is_not_undone(
    console: Console, mesh: Mesh, door: Door
) -> None:
    before = {item.ref.name: item for item in await mesh.objects() if item.ref.kind == "VirtualService"}
    answer = await console.act("weights", service="reviews", weights={"v3": 100})
    await mesh.apply(RULE)
    error = await console.refused(409, "undo", id=answer["action"]["id"])
    assert error["code"] == "ABORTED"
    assert error["message"] == "virtualservice/reviews has been changed since, so this is not undone."
    assert await split(door, 10) == {"v2": 10}
    await mesh.apply(before["reviews"].to_yaml())
    await console.refused(404, "undo", id="99")


async def test_a_change_whose_browser_goes_is_made_all_the_same(console: Console, door: Door) -> None:
    asked: asyncio.Task[Any] = asyncio.create_task(
        console.ask("weights", service="reviews", weights={"v2": 100})
    )
    await console.arrived.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await console.told.wait()
    assert console.newest["title"] == "Weights of reviews: v2 100 %"
    assert await split(door, 10) == {"v2": 10}
    await console.act("undo", id=console.newest["id"])


async def test_lanes_are_in_the_history_of_lanes(
    console: Console, door: Door, lanes: Lanes, mesh: Mesh
) -> None:
    before = await rules(mesh)
    made = await console.act(
        "lane-create", name="qa", versions={"reviews": "v3", "ratings": "v2"}, mode="strict"
    )
    assert made["action"]["milliseconds"] > 0
    assert (await door.visit("env=qa")).versions["reviews"] == "v3"
    await console.refused(409, "lane-create", name="qa", versions={"reviews": "v3"}, mode="strict")
    await console.refused(409, "lane-create", name="other", versions={"reviews": "v7"})
    gone = await console.act("lane-delete", name="qa")
    assert await rules(mesh) == before
    await console.undo(gone)
    assert (await door.visit("env=qa")).versions["ratings"] == "v2"
    history = await lanes.json("history")
    assert [each["who"] for each in history[-3:]] == ["console"] * 3
    assert [each["change"] for each in history[-3:]] == [
        "create qa --service reviews=v3 --service ratings=v2 --mode strict",
        "delete qa",
        "Undo: Delete lane qa",
    ]
    await console.refused(409, "lane-delete", name="nobody")
    await lanes.ok("delete", "qa")
    error = await console.refused(409, "undo", id=made["action"]["id"])
    assert "has been changed since" in error["message"] or "undone already" in error["message"]
