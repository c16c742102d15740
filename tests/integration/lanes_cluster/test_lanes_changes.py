"""The cluster's side of `lanes` over HTTP: who writes at the same time, and what is written."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lanes import edits
from lanes.runner import Plan
from lanes.spec import Lane
from tests.fakes.api_server import ApiServer
from tests.integration.lanes_cluster.conftest import (
    DEV,
    IMAGE,
    MINE,
    change,
    creating,
    deleting,
    lanes_now,
    opened,
    rules,
)


async def test_a_lane_comes_and_goes_and_leaves_nothing(server: ApiServer, kubeconfig: Path) -> None:
    before = rules(server)
    async with opened(kubeconfig) as store:
        result = await change(store, creating(MINE, IMAGE))
        assert result.outcome is not None
        assert result.outcome.lines == (
            "deployment.apps/reviews-mine created, ready",
            "destinationrule.networking.istio.io/reviews configured",
            "virtualservice.networking.istio.io/reviews configured",
        )
        made = server.objects["deployments", "reviews-mine"]
        assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "lanes"
        routes = server.objects["virtualservices", "reviews"]["spec"]["http"]
        assert [route.get("name") for route in routes] == ["lane-mine", None]
        assert routes[1] == before["virtualservices/reviews"][2]["http"][0]
        seen = await store.read()
        [member] = seen.members_of("reviews", "mine")
        assert (member.ready, member.command, member.expires) == (True, "bookinfo:mine", MINE.expires)
    assert await lanes_now(kubeconfig) == (MINE,)
    async with opened(kubeconfig) as store:
        result = await change(store, deleting("mine"))
        assert result.outcome is not None
        assert result.outcome.lines[-1] == "deployment.apps/reviews-mine deleted"
        assert [each.number for each in await store.history()] == [0, 1, 2]
    assert rules(server) == before
    assert ("deployments", "reviews-mine") not in server.objects
    # only routes, subsets and what lanes made were ever written
    written = {name for verb, name, _ in server.asked if verb in ("create", "patch", "delete")}
    assert written == {
        *("deployments", "deployments/reviews-mine", "virtualservices/reviews", "destinationrules/reviews"),
        *("configmaps", "configmaps/lanes-history"),
    }


async def test_a_conflict_has_it_read_again_and_nobodys_route_is_lost(
    server: ApiServer, kubeconfig: Path
) -> None:
    async def somebody(lane: Lane) -> None:
        async with opened(kubeconfig) as store:
            await change(store, creating(lane))

    # ratings is written first: in vain at the first attempt, and at the second there is half of it
    others = [Lane("one", {"ratings": "v1"}), Lane("two", {"reviews": "v1"})]
    crossing = [lambda lane=lane: somebody(lane) for lane in others]
    async with opened(kubeconfig, 5, *crossing) as store:
        result = await change(store, creating(DEV))
    assert await lanes_now(kubeconfig) == (DEV, *others) == result.lanes
    async with opened(kubeconfig) as store:
        history = await store.history()
    assert [each.number for each in history] == [0, 1, 2, 3]
    assert history[-1].lanes == (DEV, *others)


async def test_a_change_that_is_half_written_is_finished(server: ApiServer, kubeconfig: Path) -> None:
    async def edit() -> None:
        there = server.objects["virtualservices", "reviews"]
        there["spec"]["http"][-1]["timeout"] = "9s"
        server.put("virtualservices", there)

    async with opened(kubeconfig, 5, edit) as store:
        await change(store, creating(DEV))
    # ratings comes first and was written by then; a lane half there was no reason to refuse to create it
    assert await lanes_now(kubeconfig) == (DEV,)
    assert server.objects["virtualservices", "reviews"]["spec"]["http"][-1]["timeout"] == "9s"
    patches = [name for verb, name, _ in server.asked if verb == "patch"]
    assert patches.count("virtualservices/ratings") == 1
    assert patches.count("virtualservices/reviews") == 2


async def test_what_is_deleted_in_between_is_made_anew_or_not_missed(
    server: ApiServer, kubeconfig: Path
) -> None:
    async def delete() -> None:
        del server.objects["virtualservices", "reviews"]

    async with opened(kubeconfig, 5, delete) as store:
        await change(store, creating(DEV))
    assert await lanes_now(kubeconfig) == (DEV,)
    made = server.objects["virtualservices", "reviews"]
    assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "lanes"}
    async with opened(kubeconfig, 5, delete) as store:
        await change(store, deleting("dev"))
    assert await lanes_now(kubeconfig) == ()
    assert ("virtualservices", "reviews") not in server.objects


async def test_eight_at_once(server: ApiServer, kubeconfig: Path) -> None:
    lanes = [Lane(f"team-{number}", {"reviews": "v2"} if number % 2 else DEV.versions) for number in range(8)]

    async def create(lane: Lane) -> None:
        async with opened(kubeconfig) as store:
            await change(store, creating(lane))

    await asyncio.gather(*map(create, lanes))
    assert await lanes_now(kubeconfig) == tuple(lanes)
    async with opened(kubeconfig) as store:
        assert [each.number for each in await store.history()] == [*range(9)]


async def test_a_dry_run_asks_the_server_and_changes_nothing(server: ApiServer, kubeconfig: Path) -> None:
    before = {name: dict(each) for name, each in server.objects.items()}
    async with opened(kubeconfig) as store:
        result = await change(store, creating(MINE, IMAGE), dry_run=True)
    assert [(str(each.key), each.verdict) for each in result.changed] == [
        ("deployment/reviews-mine", "created"),
        ("destinationrule/reviews", "configured"),
        ("virtualservice/reviews", "configured"),
    ]
    assert server.objects == before
    writes = [query for verb, _, query in server.asked if verb in ("create", "patch", "delete")]
    assert len(writes) == 3
    assert all(query["dryRun"] == "All" for query in writes)


async def test_ends_are_told_to_deployments_as_well(server: ApiServer, kubeconfig: Path) -> None:
    async with opened(kubeconfig) as store:
        await change(store, creating(MINE, IMAGE))
        await change(store, lambda *_: Plan(edits.extend("mine", {}, None, "2031-01-01T00:00:00Z")))
        made = server.objects["deployments", "reviews-mine"]["metadata"]
        assert made["annotations"]["lanes.proxyless.dev/expires"] == "2031-01-01T00:00:00Z"
        await change(store, lambda *_: Plan(edits.extend("mine", {}, None, "")))
    made = server.objects["deployments", "reviews-mine"]["metadata"]
    assert "lanes.proxyless.dev/expires" not in made["annotations"]
    assert (
        "annotations" not in server.objects["virtualservices", "reviews"]["metadata"]
        or not (server.objects["virtualservices", "reviews"]["metadata"]["annotations"])
    )
