"""The cluster's side of `lanes` over HTTP: who writes at the same time, what is refused, what is undone."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from lanes import edits
from lanes.cluster.connect import connected
from lanes.cluster.store import ClusterStore
from lanes.doorfile import digest_of
from lanes.history import Revision
from lanes.landscape import LaneError
from lanes.own import lanes_in
from lanes.runner import Journal, Plan, Planner, Result, carry_out
from lanes.spec import Lane
from lanes.store import NoMesh, Seen, Workload
from tests.fakes.api_server import ApiServer
from tests.fakes.lanes_command import Command, no_traceback
from tests.unit.lanes.cluster.objects import deployment, destination_rule, pod, service, to, virtual_service

DEV = Lane("dev", {"ratings": "v2", "reviews": "v2"})
MINE = Lane("mine", {"reviews": "mine"}, expires="2030-01-01T00:00:00Z")
IMAGE = Workload("bookinfo:mine", expires=MINE.expires)
Others = Callable[[], Awaitable[object]]


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().running() as server:
        for name in ("ratings", "reviews"):
            server.put("services", service(name))
            server.put("deployments", deployment(f"{name}-v1", name, "v1"))
            server.put("deployments", deployment(f"{name}-v2", name, "v2"))
            base = {"route": [to(name, "v1")], "timeout": "3s"}
            server.put("virtualservices", virtual_service(name, base, labels={"team": "books"}))
            server.put("destinationrules", destination_rule(name, "v1", "v2"))
        server.put("services", service("productpage", {"name": "http", "port": 80, "targetPort": 9080}))
        yield server


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(server.kubeconfig())
    return file


class Crossed(ClusterStore):
    """Somebody else writes each time after it has read."""

    others: Sequence[Others] = ()

    async def read(self) -> Seen:
        seen = await super().read()
        if self.others:
            first, *self.others = self.others
            await first()
        return seen


@asynccontextmanager
async def opened(kubeconfig: Path, timeout: float = 5, *others: Others) -> AsyncIterator[Crossed]:
    async with connected(None, None, str(kubeconfig)) as api:
        store = Crossed(api, "env", timeout, lambda _: None)
        store.others = others
        yield store


@asynccontextmanager
async def quietly(_: str) -> AsyncIterator[None]:
    yield


async def change(store: ClusterStore, planner: Planner, *, dry_run: bool = False) -> Result:
    return await carry_out(store, planner, Journal("a change", "me", "now", quietly), dry_run=dry_run)


def creating(lane: Lane, workload: Workload | None = None) -> Planner:
    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        if any(there.name == lane.name for there in lanes_in(seen.landscape)):
            raise LaneError("there is one already")
        start = {("reviews", lane.name): workload} if workload else {}
        return Plan(edits.create(lane), start)

    return plan


def deleting(name: str) -> Planner:
    return lambda seen, history, door: Plan(edits.delete(name))


async def lanes_now(kubeconfig: Path) -> tuple[Lane, ...]:
    async with opened(kubeconfig) as store:
        return lanes_in((await store.read()).landscape)


def rules(server: ApiServer) -> dict[str, Any]:
    """What somebody else would see of the rules."""
    return {
        f"{plural}/{name}": (
            each["metadata"].get("labels"),
            each["metadata"].get("annotations"),
            each["spec"],
        )
        for (plural, name), each in server.objects.items()
        if plural in ("virtualservices", "destinationrules")
    }


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


# -- through the port-forward


@pytest.fixture
async def page(server: ApiServer) -> AsyncIterator[dict[str, Any]]:
    """A pod of the door on this machine, and what it says of its rules."""
    told: dict[str, Any] = {"digest": ""}

    async def health(_: web.Request) -> web.Response:
        return web.json_response(told)

    async def product(request: web.Request) -> web.Response:
        lane = request.headers["baggage"].removeprefix("env=")
        return web.json_response(
            {"hops": {"service": "productpage", "version": "v1", "lane": lane, "calls": []}}
        )

    app = web.Application()
    app.router.add_get("/health/door", health)
    app.router.add_get("/api/v1/products/0", product)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = deployment("productpage-v1", "productpage", "v1", replicas=1)
    template = there["spec"]["template"]["spec"]
    template["containers"][0] |= {
        "env": [{"name": "DOOR_RULES", "value": "/door/door.yaml"}],
        "volumeMounts": [{"name": "door", "mountPath": "/door"}],
    }
    template["volumes"] = [{"name": "door", "configMap": {"name": "page-door"}}]
    server.put("deployments", there)
    del server.objects["pods", "productpage-v1-1"]
    server.put("pods", pod("page-1", "productpage", "v1", podIP="127.0.0.1"))
    port = runner.addresses[0][1]
    server.put("services", service("productpage", {"name": "http", "port": 80, "targetPort": port}))
    yield told
    await runner.cleanup()


async def test_the_doors_rules(server: ApiServer, kubeconfig: Path, page: dict[str, Any]) -> None:
    async with opened(kubeconfig, 0.3) as store:
        outcome = await store.set_door("rules: []\n") if await store.door() == "" else None
        assert outcome is not None
        assert not outcome.ok
        assert "page-1: it has not read them; a kubelet takes about a minute" in outcome.lines[-1]
        page["digest"] = digest_of("rules: [{header: x}]\n")
        assert await store.door() == "rules: []\n"
        outcome = await store.set_door("rules: [{header: x}]\n")
        assert outcome.lines == (
            "configmap/page-door configured",
            "the door goes by its new rules; `lanes door` lists them",
        )


async def test_try_through_the_port_forward_of_a_command(
    server: ApiServer, kubeconfig: Path, page: dict[str, Any], tmp_path: Path
) -> None:
    async with opened(kubeconfig) as store:
        await change(store, creating(DEV))
    command = Command(tmp_path, KUBECONFIG=str(kubeconfig))
    out = await command.ok("try", "dev", "-n", "shop")
    assert out.startswith("http://page-1:")
    assert out.splitlines()[1:] == ["productpage v1 (base)"]
    server.denied.add(("get", "pods/portforward"))
    answer = await command("try", "dev", "-n", "shop")
    assert answer.code == 2
    assert answer.err.startswith(
        "You have no right to get and create pods/portforward in the namespace shop of "
    )
    no_traceback(answer)


# -- without a cluster, or rights


async def test_each_way_to_have_no_cluster_is_one_sentence(
    server: ApiServer, kubeconfig: Path, tmp_path: Path
) -> None:
    def written(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    refused = yaml.safe_load(server.kubeconfig())
    refused["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    no_program = yaml.safe_load(server.kubeconfig())
    no_program["users"][0]["user"] = {
        "exec": {"command": "./no-such-program", "apiVersion": "client.authentication.k8s.io/v1"}
    }
    server.unknown.add("destinationrules")
    cases = [
        (str(tmp_path / "none"), "There is no kubeconfig "),
        (written("torn", "clusters: ["), "cannot be read: "),
        (written("odd", "a: b"), "has no current context; name one with --context; there are none."),
        (written("list", "[]"), "cannot be read: it is not built as one."),
        (written("refused", yaml.safe_dump(refused)), "cannot be reached: connection refused."),
        (written("stranger", server.kubeconfig(token="x")), "does not know who you are (401)"),
        (written("program", yaml.safe_dump(no_program)), "gives no credentials: [Errno 2]"),
        (
            str(kubeconfig),
            "does not know destinationrules.networking.istio.io in version v1 (404); install Istio",
        ),
    ]
    for file, said in cases:
        with pytest.raises(NoMesh, match=re.escape(said)) as caught:
            async with opened(Path(file)) as store:
                await store.read()
        assert "\n" not in str(caught.value)
    answer = await Command(tmp_path)("list", "--kubeconfig", str(kubeconfig), "--context", "other")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"The kubeconfig {kubeconfig} has no context 'other'; there are shop.\n"


async def test_who_changes_something_is_told_where(
    server: ApiServer, kubeconfig: Path, tmp_path: Path
) -> None:
    command = Command(tmp_path, KUBECONFIG=str(kubeconfig), LANES_CONTEXT="shop")
    answer = await command("create", "dev", "-s", "reviews=v2", "--ttl", "8h")
    assert (answer.code, answer.err) == (0, "the context shop, namespace shop\n")
    answer = await command("list")
    assert "EXPIRES" in answer.out
    assert answer.err == ""


def test_the_client_is_imported_only_where_it_is_used() -> None:
    code = (
        "import sys, lanes.cli.app, lanes.cli.mesh_store\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'kubernetes']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
