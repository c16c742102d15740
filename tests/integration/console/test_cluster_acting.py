"""What the console changes in a cluster: through an API server, with others who write as well."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from console.acting import bodies
from console.acting.acting import Acting
from console.acting.cluster import ClusterRules, merge_patch
from lanes.cluster.api import Api
from lanes.cluster.connect import connected
from lanes.cluster.ledger import NAME as HISTORY
from lanes.cluster.ledger import revisions_in
from lanes.cluster.store import ClusterStore
from lanes.landscape import LaneError
from mesh.errors import Changed, MeshError, Refused
from tests.fakes.api_server import ApiServer, Object
from tests.unit.lanes.cluster.objects import deployment, destination_rule, service, to, virtual_service

REVIEWS = ("virtualservices", "reviews")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().running() as server:
        for name in ("ratings", "reviews"):
            server.put("services", service(name))
            for version in ("v1", "v2"):
                server.put("deployments", deployment(f"{name}-{version}", name, version))
            base = {"name": "base", "route": [to(name, "v1")], "timeout": "3s"}
            server.put("virtualservices", virtual_service(name, base, labels={"team": "books"}))
            server.put("destinationrules", destination_rule(name, "v1", "v2"))
        door = service("productpage", {"name": "http", "port": 80, "targetPort": 9080})
        server.put("services", door)
        yield server


@pytest_asyncio.fixture
async def api(server: ApiServer, tmp_path: Path) -> AsyncIterator[Api]:
    file = tmp_path / "kubeconfig"
    file.write_text(server.kubeconfig())
    async with connected(None, None, str(file)) as api:
        yield api


@pytest_asyncio.fixture
async def acting(api: Api) -> AsyncIterator[Acting]:
    store = ClusterStore(api, "env", 5, lambda _: None)
    made = Acting(
        ClusterRules(api), store, lambda _: None, lambda: True, processes=None, namespace="shop", door=""
    )
    yield made
    await made.close()


async def do(acting: Acting, verb: str, **body: Any) -> dict[str, Any]:
    return await acting.act(bodies.read(verb, body), verb)


def said(server: ApiServer) -> dict[str, Any]:
    """All rules as somebody else sees them, by plural and name."""
    return {
        f"{plural}/{name}": copy.deepcopy((each["metadata"].get("labels"), each["spec"]))
        for (plural, name), each in server.objects.items()
        if plural in ("virtualservices", "destinationrules")
    }


def writes(server: ApiServer) -> list[tuple[str, str]]:
    """What was asked for beside reading and dry runs."""
    return [
        (verb, what)
        for verb, what, query in server.asked
        if verb not in ("get", "list") and "dryRun" not in query
    ]


NEW = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: details}
spec: {hosts: [details], http: [{route: [{destination: {host: details}}]}]}
"""


# each: what is asked, and what it must have made of the objects


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("lane-create", {"name": "dev", "versions": {"reviews": "v2"}, "mode": "strict"}),
        ("weights", {"service": "reviews", "weights": {"v1": 40, "v2": 60}}),
        ("fault", {"service": "reviews", "lane": "", "delay_ms": 100, "percent": 50}),
        ("apply", {"yaml": NEW}),
        ("apply", {"yaml": NEW.replace("details", "reviews")}),
        ("delete", {"kind": "VirtualService", "namespace": "shop", "name": "ratings"}),
    ],
)
async def test_it_is_done_and_undone_and_done_again(
    server: ApiServer, acting: Acting, verb: str, body: dict[str, Any]
) -> None:
    before = said(server)
    made = await do(acting, verb, **body)
    assert made["ok"], made
    after = said(server)
    assert after != before
    undone = await do(acting, "undo", id=made["action"]["id"])
    assert undone["ok"]
    assert said(server) == before
    again = await do(acting, "undo", id=undone["action"]["id"])
    assert again["ok"]
    assert said(server) == after


async def test_a_lane_is_made_and_ended_as_the_command_does_it(server: ApiServer, acting: Acting) -> None:
    before = said(server)
    await do(acting, "lane-create", name="dev", versions={"reviews": "v2"})
    names = [route["name"] for route in server.objects[REVIEWS]["spec"]["http"]]
    assert names == ["lane-dev", "base"]
    with pytest.raises(LaneError, match="There is a lane dev already"):
        await do(acting, "lane-create", name="dev", versions={"reviews": "v2"})
    with pytest.raises(LaneError, match=r"There is no reviews v9 in this mesh; there are v1, v2"):
        await do(acting, "lane-create", name="qa", versions={"reviews": "v9"})
    await do(acting, "lane-delete", name="dev")
    assert said(server) == before
    revisions = revisions_in(server.objects["configmaps", HISTORY])
    assert [each.who for each in revisions] == ["", "console", "console"]


async def test_what_is_so_already_is_not_written_and_cannot_be_undone(
    server: ApiServer, acting: Acting
) -> None:
    """Also where it is written in another version than the API server tells it in."""
    await do(acting, "apply", yaml=NEW)
    there = len(writes(server))
    answer = await do(acting, "apply", yaml=NEW)
    assert answer["action"]["lines"] == ["virtualservice.networking.istio.io/details unchanged"]
    assert not answer["action"]["undoable"]
    assert len(writes(server)) == there


async def test_only_what_differs_is_written(server: ApiServer, acting: Acting) -> None:
    """What others have in the object, and what only the API server knows of, stays."""
    there = server.objects[REVIEWS]["metadata"]
    there["finalizers"] = ["books/keep"]
    there["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}
    await do(acting, "weights", service="reviews", weights={"v1": 40, "v2": 60})
    after = server.objects[REVIEWS]
    assert after["metadata"]["finalizers"] == ["books/keep"]
    assert len(after["metadata"]["annotations"]) == 2
    assert [entry["weight"] for entry in after["spec"]["http"][0]["route"]] == [40, 60]
    assert after["spec"]["http"][0]["timeout"] == "3s"
    assert writes(server) == [("patch", "virtualservices/reviews")]


async def test_yaml_is_tried_by_the_api_server_and_changes_nothing(server: ApiServer, acting: Acting) -> None:
    before = said(server)
    assert (await do(acting, "validate", yaml=NEW))["ok"]
    server.refused["details"] = "spec.http[0].route: nobody there"
    answer = await do(acting, "validate", yaml=NEW)
    assert not answer["ok"]
    [line] = answer["details"]
    assert line.startswith("virtualservice.networking.istio.io/details: ")
    assert "spec.http[0].route: nobody there" in line
    # All or nothing: what would be taken is not written either.
    both = f"{yaml.safe_dump(destination_rule('details', 'v1'))}---{NEW}"
    server.refused = {"details": "no"}
    with pytest.raises(Refused) as refused:
        await do(acting, "apply", yaml=both)
    assert len(refused.value.details) == 2
    assert said(server) == before
    assert writes(server) == []
    checked = [query for verb, _, query in server.asked if verb in ("create", "patch")]
    assert checked and all(query["fieldValidation"] == "Strict" for query in checked)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NEW.replace("VirtualService", "Gateway"), "kubectl changes a Gateway"),
        (
            NEW.replace("name: details", "name: details, namespace: bank"),
            "of the namespace bank; this is shop",
        ),
        ("{", "is not YAML"),
        ("kind: VirtualService", "has no apiVersion"),
    ],
)
async def test_what_is_not_its_to_change(server: ApiServer, acting: Acting, text: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        await do(acting, "apply", yaml=text)
    assert why in " ".join(refused.value.details)
    assert not (await do(acting, "validate", yaml=text))["ok"]
    assert writes(server) == []


# -- with others


def crossing(server: ApiServer, monkeypatch: pytest.MonkeyPatch, *others: Callable[[], object]) -> None:
    """Have somebody else write after each dry run, which is right before the writing, once each."""
    waiting = list(others)
    answer = server._write

    def crossed(verb: str, plural: str, there: Object | None, body: Object, request: Any) -> Any:
        found = answer(verb, plural, there, body, request)
        if request.query.get("dryRun") and waiting:
            waiting.pop(0)()
        return found

    monkeypatch.setattr(server, "_write", crossed)


async def test_what_others_write_in_between_stays(
    server: ApiServer, acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other() -> None:
        changed = copy.deepcopy(server.objects[REVIEWS])
        changed["spec"]["http"][0]["timeout"] = "7s"
        server.put("virtualservices", changed)

    crossing(server, monkeypatch, other)
    made = await do(acting, "weights", service="reviews", weights={"v1": 40, "v2": 60})
    [route] = server.objects[REVIEWS]["spec"]["http"]
    assert route["timeout"] == "7s"
    assert [entry["weight"] for entry in route["route"]] == [40, 60]
    # What was changed since is not undone.
    other_label = copy.deepcopy(server.objects[REVIEWS])
    other_label["spec"]["http"][0]["timeout"] = "8s"
    server.put("virtualservices", other_label)
    with pytest.raises(Changed, match="virtualservice/reviews has been changed since"):
        await do(acting, "undo", id=made["action"]["id"])
    assert server.objects[REVIEWS]["spec"]["http"][0]["timeout"] == "8s"


async def test_an_object_deleted_meanwhile_is_not_deleted_twice(
    server: ApiServer, acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = copy.deepcopy(server.objects[REVIEWS])
    there["spec"]["hosts"] = ["others"]
    real = Api.delete
    crossed: list[str] = []

    async def delete(self: Api, resource: Any, name: str, same: Any, *, dry: bool = False) -> bool:
        if not dry and not crossed:
            crossed.append(name)
            server.put("virtualservices", there)
        return await real(self, resource, name, same, dry=dry)

    monkeypatch.setattr(Api, "delete", delete)
    with pytest.raises(Changed):
        await do(acting, "delete", kind="VirtualService", namespace="shop", name="reviews")
    assert server.objects[REVIEWS]["spec"]["hosts"] == ["others"]


async def test_a_second_write_that_fails_takes_the_first_back(
    server: ApiServer, api: Api, acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = said(server)
    both = f"{NEW}---\n{yaml.safe_dump(destination_rule('details', 'v1'))}"
    crossing(server, monkeypatch, lambda: None, lambda: server.denied.add(("create", "virtualservices")))
    with pytest.raises(MeshError, match="no right to create virtualservices"):
        await do(acting, "apply", yaml=both)
    assert said(server) == before
    assert writes(server) == [
        ("create", "destinationrules"),
        ("create", "virtualservices"),
        ("delete", "destinationrules/details"),
    ]


# -- what it does not do


async def test_pods_are_not_its_to_end_nor_the_door_to_guess(acting: Acting) -> None:
    for verb in ("kill", "start"):
        with pytest.raises(MeshError, match="kubectl"):
            await do(acting, verb, name="reviews-v1-1")
    with pytest.raises(MeshError, match="--door URL"):
        await do(acting, "send", lane="", user="", count=1)


async def test_without_the_right_it_says_which(server: ApiServer, acting: Acting) -> None:
    before = said(server)
    server.denied.add(("patch", "virtualservices"))
    with pytest.raises(
        (MeshError, LaneError), match=r"no right to patch virtualservices.networking.istio.io"
    ):
        await do(acting, "weights", service="reviews", weights={"v1": 40, "v2": 60})
    assert said(server) == before


def test_a_merge_patch_says_what_differs() -> None:
    before = {"a": 1, "b": {"c": 1, "d": [1]}, "e": {"f": 1}}
    after = {"a": 1, "b": {"c": 2, "d": [2]}, "g": 3}
    assert merge_patch(before, after) == {"b": {"c": 2, "d": [2]}, "e": None, "g": 3}
    assert merge_patch(before, before) == {}
