"""Every verb of `lanes` on a real API server, as a platform team types it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import yaml

from mesh.walkthrough.door import Door, Visit
from tests.cluster.apiserver.conftest import Bookinfo
from tests.cluster.apiserver.server import MERGE
from tests.cluster.apiserver.settings import XDS_PLAIN
from tests.fakes.lanes_command import Command, no_traceback

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def until(door: Door, baggage: str | None, **versions: str) -> Visit:
    """Ask until these versions serve: Istiod pushes 100 ms after the last change."""
    visit = Visit((), {})
    try:
        async with asyncio.timeout(10):
            while True:
                visit = await door.visit(baggage)
                if versions.items() <= visit.versions.items():
                    return visit
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{baggage}: {visit}") from None


def path(bookinfo: Bookinfo, kind: str, name: str) -> str:
    roots = {"deployments": "/apis/apps/v1", "configmaps": "/api/v1", "pods": "/api/v1"}
    root = roots.get(kind, "/apis/networking.istio.io/v1")
    return f"{root}/namespaces/{bookinfo.namespace}/{kind}/{name}"


async def test_a_lane_of_versions_that_run(lanes: Command, door: Door, bookinfo: Bookinfo) -> None:
    where = f"the namespace {bookinfo.namespace} of the context "
    assert (await lanes("list")).err.startswith(f"There are no lanes in {where}")
    answer = await lanes("create", "team", "--service", "reviews=v1", "-s", "ratings=v2")
    assert answer.code == 0
    assert f"namespace {bookinfo.namespace}\n" in answer.err
    assert answer.out.splitlines() == [
        "virtualservice.networking.istio.io/ratings configured",
        "virtualservice.networking.istio.io/reviews configured",
    ]
    assert await lanes.json("list") == [
        {
            "name": "team",
            "mode": "permissive",
            "services": {"ratings": "v2", "reviews": "v1"},
            "ready": "2/2",
        }
    ]
    await until(door, "user=7,env=team;ttl=1", reviews="v1")
    assert (await door.visit()).versions["reviews"] == "v3"

    assert "already" in (await lanes("create", "team", "-s", "reviews=v2")).err
    await lanes.ok("add", "team", "-s", "details=v2", "--mode", "strict")
    await until(door, "env=team", details="v2")
    await lanes.ok("remove", "team", "-s", "ratings")
    standing = {each["service"]: each for each in (await lanes.json("status", "team"))["standing"]}
    assert standing["reviews"]["servedBy"] == "reviews v1"
    assert standing["reviews"]["members"][0]["name"].startswith("reviews-v1-")
    assert standing["ratings"]["servedBy"] == "nobody: the lane is strict"
    await lanes.ok("add", "team", "--mode", "permissive")
    assert "base: ratings v1" in await lanes.ok("status", "team")
    await lanes.ok("delete", "team")
    answer = await lanes("delete", "team")
    assert (answer.code, answer.err.splitlines()[-1]) == (1, "There is no lane 'team'; there are none.")


async def test_an_image_becomes_a_version_of_the_lanes_own(
    lanes: Command, door: Door, bookinfo: Bookinfo
) -> None:
    answer = await lanes(
        "create", "mine", "--service", "reviews=registry.example/bookinfo:mine", "--ttl", "8h"
    )
    assert answer.code == 0, answer
    assert "reviews-mine: 0 of 1 ready" in answer.err
    assert answer.out.splitlines() == [
        "deployment.apps/reviews-mine created, ready",
        "destinationrule.networking.istio.io/reviews configured",
        "virtualservice.networking.istio.io/reviews configured",
    ]
    made = await bookinfo.server.ask("GET", path(bookinfo, "deployments", "reviews-mine"))
    labels = made["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "lanes"
    assert labels["lanes.proxyless.dev/lane"] == labels["version"] == "mine"
    expires = made["metadata"]["annotations"]["lanes.proxyless.dev/expires"]
    [lane] = await lanes.json("list")
    assert lane["expires"] == expires
    left = datetime.strptime(expires, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(hours=7, minutes=55) < left < timedelta(hours=8)
    assert expires in await lanes.ok("list")
    visit = await until(door, "env=mine", reviews="mine")
    assert visit.ok

    # another image, and more time: the same Deployment, rolled out anew
    out = await lanes.ok("add", "mine", "-s", "reviews=bookinfo:other", "--ttl", "never")
    assert out.splitlines()[0] == "deployment.apps/reviews-mine configured, ready"
    made = await bookinfo.server.ask("GET", path(bookinfo, "deployments", "reviews-mine"))
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "bookinfo:other"
    assert "lanes.proxyless.dev/expires" not in made["metadata"]["annotations"]
    assert "expires" not in (await lanes.json("list"))[0]
    managers = {each["manager"] for each in made["metadata"]["managedFields"]}
    assert managers == {"lanes", "kube-controller-manager"}
    await until(door, "env=mine", reviews="mine")
    out = await lanes.ok("delete", "mine")
    assert out.splitlines()[-1] == "deployment.apps/reviews-mine deleted"


async def test_what_never_becomes_ready_leaves_nothing(lanes: Command, bookinfo: Bookinfo) -> None:
    before = await bookinfo.rules(), await bookinfo.deployments()
    answer = await lanes("create", "mine", "-s", "reviews=registry.example/nope:1", "--timeout", "3s")
    assert answer.code == 1
    assert "ImagePullBackOff" in answer.err.splitlines()[-1]
    assert "nothing was changed; --timeout 5m waits more." in answer.err
    no_traceback(answer)
    assert (await bookinfo.rules(), await bookinfo.deployments()) == before
    await lanes.ok("create", "mine", "-s", "reviews=bookinfo:1")
    answer = await lanes("add", "mine", "-s", "reviews=registry.example/nope:1", "--timeout", "3s")
    assert answer.code == 1
    made = await bookinfo.server.ask("GET", path(bookinfo, "deployments", "reviews-mine"))
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "bookinfo:1"


async def test_ctrl_c_while_it_waits_leaves_nothing(lanes: Command, bookinfo: Bookinfo) -> None:
    before = await bookinfo.rules(), await bookinfo.deployments()
    process = await lanes.spawn("create", "mine", "-s", "reviews=registry.example/nope:1")
    assert process.stderr is not None
    async for line in process.stderr:
        if b"ImagePullBackOff" in line:
            process.send_signal(2)
            break
    _, err = await process.communicate()
    assert (process.returncode, err.decode().splitlines()[-1]) == (130, "Interrupted.")
    assert (await bookinfo.rules(), await bookinfo.deployments()) == before


async def test_try_goes_through_the_port_forward_and_explain_asks_istiod(lanes: Command, door: Door) -> None:
    await lanes.ok("create", "team", "-s", "reviews=v2")
    await until(door, "env=team", reviews="v2")
    tried = (await lanes.ok("try", "team")).splitlines()
    assert tried[0].startswith("http://productpage-v1-")
    assert tried[1:] == [
        "productpage v1 (base)",
        "  → details v1 (base)",
        "  → reviews v2 (team)",
        "    → ratings v1 (base)",
    ]
    out = await lanes.ok("explain", "team", "--xds-address", XDS_PLAIN)
    assert "reviews: lane-team → outbound|9080|v2|reviews." in out
    assert "details: base → outbound|9080|v1|details." in out
    answer = await lanes("explain", "team")
    assert answer.code == 1
    assert "No pod of Istiod (app=istiod) is ready in istio-system. --xds-address HOST:PORT" in answer.err


async def test_a_dry_run_shows_the_diff_and_has_the_server_check_it(
    lanes: Command, bookinfo: Bookinfo
) -> None:
    before = await bookinfo.rules(), await bookinfo.deployments()
    out = await lanes.ok("create", "mine", "-s", "reviews=bookinfo:1", "--dry-run")
    assert "--- /dev/null\n+++ b/deployment/reviews-mine\n" in out
    assert "--- a/virtualservice/reviews\n+++ b/virtualservice/reviews\n" in out
    assert "+  - name: lane-mine\n" in out
    assert not [line for line in out.splitlines() if line.startswith("-") and not line.startswith("---")]
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "no-more", "namespace": bookinfo.namespace},
        "spec": {"hard": {"count/deployments.apps": "0"}},
    }
    await bookinfo.server.apply(quota)
    try:
        async with asyncio.timeout(20):
            while True:
                answer = await lanes("create", "mine", "-s", "reviews=bookinfo:1", "--dry-run")
                if answer.code:
                    break
    finally:
        await bookinfo.server.ask("DELETE", await bookinfo.server.path_of(quota))
    assert answer.code == 1
    assert "exceeded quota: no-more" in answer.err
    no_traceback(answer)
    assert (await bookinfo.rules(), await bookinfo.deployments()) == before


async def test_what_is_rendered_is_what_create_puts_in_force(lanes: Command, bookinfo: Bookinfo) -> None:
    words = ("-s", "reviews=v2", "-s", "details=bookinfo:1", "--mode", "strict")
    rendered = {
        f"{each['kind'].lower()}s/{each['metadata']['name']}": each
        for each in yaml.safe_load_all(await lanes.ok("render", "team", *words))
    }
    assert rendered.keys() == {
        "deployments/details-team",
        *(f"virtualservices/{name}" for name in ("details", "productpage", "ratings", "reviews")),
        "destinationrules/details",
    }
    await lanes.ok("create", "team", *words)
    there = await bookinfo.rules()
    for name, each in rendered.items():
        if name in there:
            assert there[name]["spec"] == each["spec"]
    whole = [*yaml.safe_load_all(await lanes.ok("render"))]
    assert {each["metadata"]["name"] for each in whole} == {"details", "productpage", "ratings", "reviews"}
    assert not any("creationTimestamp" in each["metadata"] for each in whole)


async def test_history_and_rollback(lanes: Command, door: Door, bookinfo: Bookinfo) -> None:
    await lanes.ok("create", "one", "-s", "reviews=bookinfo:1", "--ttl", "1h")
    with_one = await bookinfo.rules()
    number = (await lanes.json("history"))[-1]["revision"]
    await lanes.ok("create", "two", "-s", "ratings=v2")
    await lanes.ok("delete", "one")
    assert "reviews-one" not in await bookinfo.deployments()
    diff = await lanes.ok("rollback", str(number), "--dry-run")
    assert "+++ b/deployment/reviews-one" in diff
    assert "-    name: lane-two" in diff
    await lanes.ok("rollback", str(number))
    assert await bookinfo.rules() == with_one
    await until(door, "env=one", reviews="one")
    assert "nothing to change" in await lanes.ok("rollback", str(number))
    last = (await lanes.json("history"))[-1]
    assert (last["change"], last["workloads"]) == (
        f"rollback {number}",
        {"reviews/one": {"command": "bookinfo:1", "directory": ""}},
    )
    kept = await bookinfo.server.ask("GET", path(bookinfo, "configmaps", "lanes-history"))
    assert kept["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "lanes"}


async def test_prune_deletes_what_is_past_its_time_and_no_more(lanes: Command, bookinfo: Bookinfo) -> None:
    await lanes.ok("create", "short", "-s", "reviews=bookinfo:1", "--ttl", "1s")
    await lanes.ok("create", "long", "-s", "reviews=v2", "--ttl", "1h")
    await lanes.ok("create", "ever", "-s", "ratings=v2")
    # somebody takes a lane out of the rules; what was started for it is still there
    await lanes.ok("create", "orphan", "-s", "details=bookinfo:1", "--ttl", "1s")
    before = await bookinfo.rules()
    http = [each for each in before["virtualservices/details"]["spec"]["http"] if each["name"] == "base"]
    await bookinfo.server.ask(
        "PATCH", path(bookinfo, "virtualservices", "details"), {"spec": {"http": http}}, MERGE
    )
    answer = await lanes("list")
    assert "hold no lane orphan any more" in answer.err
    await asyncio.sleep(1)
    diff = await lanes.ok("prune", "--dry-run")
    assert "--- a/deployment/reviews-short" in diff
    assert "--- a/deployment/details-orphan" in diff
    out = await lanes.ok("prune")
    assert "deployment.apps/reviews-short deleted" in out
    assert "deployment.apps/details-orphan deleted" in out
    assert [lane["name"] for lane in await lanes.json("list")] == ["ever", "long"]
    assert await lanes.ok("prune") == "nothing to change\n"


async def test_the_doors_rules_are_a_config_map(lanes: Command, bookinfo: Bookinfo) -> None:
    assert await lanes.ok("door") == "There are no rules.\n"
    out = await lanes.ok("door", "add", "--header", "x-lane")
    assert out.splitlines() == ["configmap/productpage-door created", "the door goes by these rules"]
    async with aiohttp.ClientSession() as session:
        url = f"{bookinfo.url}/api/v1/products/0"
        async with session.get(url, headers={"x-lane": "dev"}) as response:
            assert (await response.json())["hops"]["lane"] == "dev"
        assert "-- header: x-lane" in await lanes.ok("door", "clear", "--dry-run")
        out = await lanes.ok("door", "clear")
        assert out.splitlines() == ["configmap/productpage-door configured", "the door goes by these rules"]
        async with session.get(url, headers={"x-lane": "dev"}) as response:
            assert (await response.json())["hops"]["lane"] == "base"
    # one that the chart brings is changed in its values
    config_map = path(bookinfo, "configmaps", "productpage-door")
    label = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}
    await bookinfo.server.ask("PATCH", config_map, label, MERGE)
    answer = await lanes("door", "add", "--header", "x-lane")
    assert answer.code == 1
    assert "is not the lanes' own (Helm), so the door's rules are changed where it comes from" in answer.err
    await bookinfo.server.ask("DELETE", config_map)


async def test_what_lanes_have_not_made_they_do_not_touch(lanes: Command, bookinfo: Bookinfo) -> None:
    theirs = await bookinfo.server.ask("GET", path(bookinfo, "deployments", "reviews-v2"))
    theirs = {key: theirs[key] for key in ("apiVersion", "kind", "spec")} | {
        "metadata": {"name": "reviews-other", "namespace": bookinfo.namespace}
    }
    labels = {"app": "reviews", "version": "other"}
    theirs["spec"] |= {"selector": {"matchLabels": labels}, "replicas": 0}
    theirs["spec"]["template"]["metadata"]["labels"] |= labels
    await bookinfo.server.apply(theirs)
    try:
        answer = await lanes("create", "other", "-s", "reviews=bookinfo:1")
        assert answer.code == 1
        assert "There is a Deployment reviews-other already, which lanes have not made." in answer.err
        await lanes.ok("create", "other", "-s", "reviews=other")
        await lanes.ok("delete", "other")
        assert "reviews-other" in await bookinfo.deployments()
    finally:
        await bookinfo.server.ask("DELETE", path(bookinfo, "deployments", "reviews-other"))


async def test_no_request_fails_while_lanes_come_and_go(lanes: Command, door: Door) -> None:
    done = asyncio.Event()
    count = 0

    async def load(baggage: str | None) -> list[str]:
        nonlocal count
        errors: list[str] = []
        while not done.is_set():
            errors += (await door.visit(baggage)).errors
            count += 1
        return errors

    tasks = [asyncio.create_task(load(baggage)) for baggage in (None, "env=team", "env=dev")]
    await lanes.ok("create", "team", "-s", "reviews=bookinfo:1", "-s", "details=v2")
    await lanes.ok("add", "team", "-s", "reviews=v2", "-s", "ratings=v2")
    await lanes.ok("delete", "team")
    await asyncio.sleep(1)
    done.set()
    assert await asyncio.gather(*tasks) == [[], [], []]
    print(f"{count} requests")
