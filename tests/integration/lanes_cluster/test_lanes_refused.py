"""The cluster's side of `lanes` over HTTP: what is refused, and what is undone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lanes import edits
from lanes.history import Revision
from lanes.landscape import LaneError
from lanes.runner import Plan
from lanes.spec import Lane
from lanes.store import NoMesh, Seen, Workload
from tests.fakes.api_server import ApiServer
from tests.integration.lanes_cluster.conftest import (
    DEV,
    IMAGE,
    MINE,
    change,
    creating,
    lanes_now,
    opened,
    rules,
)
from tests.unit.lanes.cluster.objects import deployment


async def test_what_never_becomes_ready_leaves_nothing(server: ApiServer, kubeconfig: Path) -> None:
    before = rules(server)
    server.broken.add(IMAGE.given)
    async with opened(kubeconfig, 0.1) as store:
        with pytest.raises(
            LaneError, match=r"0 of 1 ready; pod reviews-mine-1: ImagePullBackOff: cannot pull .*0.1 s"
        ):
            await change(store, creating(MINE, IMAGE))
    assert ("deployments", "reviews-mine") not in server.objects
    assert rules(server) == before

    # of a lane that has a version already, that one stays
    server.broken.clear()
    async with opened(kubeconfig) as store:
        await change(store, creating(MINE, IMAGE))
    server.broken.add("bookinfo:broken")

    def replacing(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        return Plan(edits.extend("mine", {}, None, None), {("reviews", "mine"): Workload("bookinfo:broken")})

    async with opened(kubeconfig, 0.1) as store:
        with pytest.raises(LaneError, match="nothing was changed"):
            await change(store, replacing)
    made = server.objects["deployments", "reviews-mine"]
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "bookinfo:mine"
    assert made["metadata"]["annotations"]["lanes.proxyless.dev/expires"] == MINE.expires


async def test_a_deployment_of_others_or_of_somebody_who_is_just_creating_it(
    server: ApiServer, kubeconfig: Path
) -> None:
    server.put("deployments", deployment("reviews-mine", "reviews", "other"))
    async with opened(kubeconfig) as store:
        with pytest.raises(LaneError, match="reviews-mine already, which lanes have not made"):
            await change(store, creating(MINE, IMAGE))
    assert server.objects["deployments", "reviews-mine"]["metadata"]["labels"]["version"] == "other"
    ours = {"app.kubernetes.io/managed-by": "lanes", "lanes.proxyless.dev/lane": "mine"}
    server.put("deployments", deployment("reviews-mine", "reviews", "mine", labels=ours))
    async with opened(kubeconfig) as store:
        with pytest.raises(LaneError, match="somebody is creating that lane, or it was left behind"):
            await change(store, creating(MINE, IMAGE))
    assert ("deployments", "reviews-mine") in server.objects
    # it is what `lanes delete mine` ends
    async with opened(kubeconfig) as store:
        await change(store, lambda seen, history, door: Plan(stop=[("reviews", "mine")]))
    assert ("deployments", "reviews-mine") not in server.objects


async def test_of_two_who_start_the_same_one_does_not_take_the_others_away(
    server: ApiServer, kubeconfig: Path
) -> None:
    async def somebody() -> None:
        async with opened(kubeconfig) as store:
            await change(store, creating(MINE, Workload("bookinfo:theirs")))

    async with opened(kubeconfig, 5, somebody) as store:
        with pytest.raises(LaneError, match="there is one already"):
            await change(store, creating(MINE, IMAGE))
    made = server.objects["deployments", "reviews-mine"]
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "bookinfo:theirs"


async def test_a_failure_in_the_middle_says_what_is_in_force(server: ApiServer, kubeconfig: Path) -> None:
    async def deny() -> None:
        server.denied.add(("patch", "virtualservices"))

    async with opened(kubeconfig, 5, deny) as store:
        with pytest.raises(
            NoMesh, match=r"no right to patch virtualservices\.networking\.istio\.io"
        ) as caught:
            await change(store, creating(Lane("dev", {"reviews": "v9"})))
    assert "By then was done: destinationrule.networking.istio.io/reviews configured." in str(caught.value)


async def test_a_history_that_cannot_be_written_undoes_nothing(server: ApiServer, kubeconfig: Path) -> None:
    server.denied.add(("create", "configmaps"))
    async with opened(kubeconfig) as store:
        result = await change(store, creating(DEV))
    assert "no right to create configmaps" in result.notes[-1]
    assert await lanes_now(kubeconfig) == (DEV,)
