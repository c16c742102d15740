"""What the console reads of a real mesh: who was called, why, by which rules, and who is out of reach."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from console.reading.peers import Cluster, Machine
from console.reading.reading import Reading
from mesh import Mesh
from mesh.walkthrough.rules import as_yaml
from tests.fakes.events import Watching
from tests.lane_matrix import MATRIX, SPEC, baggage_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

RING = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: details}
spec:
  host: details
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x, ringHash: {minimumRingSize: %d}}}}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""
SPLIT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: base
    route:
    - {destination: {host: reviews, subset: v1}, weight: 50}
    - {destination: {host: reviews, subset: v3}, weight: 50}
"""
DETAILS = "outbound|9080|v1|details.default.svc.cluster.local"
REVIEWS = "outbound|9080||reviews.default.svc.cluster.local"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("console") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0) as running:
        report = await running.apply(as_yaml(SPEC))
        assert report.ok, report.lines()
        yield running


@asynccontextmanager
async def served(reading: Reading) -> AsyncIterator[Watching]:
    """A console that has nothing but this, watched."""
    async with reading:
        app = web.Application()
        app.add_routes(reading.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        running = asyncio.create_task(reading.run())
        try:
            async with Watching(f"http://127.0.0.1:{runner.addresses[0][1]}") as watching:
                await watching.until(lambda: watching.sections["mesh"] and watching.sections["rules"])
                yield watching
        finally:
            running.cancel()
            await asyncio.wait((running,))
            assert running.cancelled(), running.exception()
            reading.close()
            await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def console(mesh: Mesh) -> AsyncIterator[Watching]:
    async with served(Reading(Machine(mesh.state), interval=0.1)) as watching:
        yield watching


async def visit(mesh: Mesh, path: str = "/api/v1/products/0", lane: str = "base", user: str = "") -> str:
    """Ask for something; returns the id of the trace."""
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    if baggage := baggage_of(lane, "env={}"):
        headers["baggage"] = baggage
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        if user:
            await (await session.post(f"{mesh.url}/login", data={"username": user})).read()
        async with session.get(f"{mesh.url}{path}", headers=headers) as got:
            await got.read()
    return trace_id


def chain(lane: str) -> set[str]:
    """The hops that the matrix demands, in words."""
    own = {lane.name: lane.versions for lane in SPEC.lanes}.get(lane, {})
    return {
        f"{service} {version or ''}".rstrip() + (" own" if version and own.get(service) == version else "")
        for service, version in MATRIX[lane].items()
        if not (service == "ratings" and version is None and lane == "plain")  # reviews v1 asks for none
    }


@pytest.mark.parametrize("lane", MATRIX)
async def test_a_request_of_each_lane_and_its_edges(mesh: Mesh, console: Watching, lane: str) -> None:
    trace_id = await visit(mesh, lane=lane)
    await console.until(lambda: set(console.hops(trace_id)) == chain(lane))
    request = console.requests[trace_id]
    assert (request["lane"], request["status"], request["path"]) == (lane, 200, "/api/v1/products/0")
    assert (request["hue"] == "base") is (lane == "base")
    versions = MATRIX[lane]
    ways = {("", "productpage v1"), ("productpage v1", f"reviews {versions['reviews']}")}
    ways.add(("productpage v1", f"details {versions['details'] or ''}".rstrip()))
    await console.until(lambda: all(console.edges()[way].get(lane) for way in ways))


async def test_the_mesh_its_services_and_lanes(mesh: Mesh, console: Watching) -> None:
    shown = console.sections["mesh"]
    assert (shown["name"], shown["writable"], shown["unreachable"]) == ("one machine", True, [])
    assert shown["page"] == f"{mesh.url}/productpage"
    assert shown["control_plane"] == {"phase": "ready", "address": mesh.xds_address}
    services = {service["name"]: service for service in shown["services"]}
    assert services["reviews"]["base"] == {"v3": 100}
    assert [each["name"] for each in services["reviews"]["instances"]] == [
        "reviews/v1",
        "reviews/v2",
        "reviews/v3",
    ]
    assert all(each["admin"] for name in ("reviews", "ratings") for each in services[name]["instances"])
    assert [each["startable"] for each in services["delivery"]["instances"]] == [True, True]
    dev = console.lane("dev")
    assert (dev["mode"], dev["versions"]) == ("permissive", {"reviews": "v2", "ratings": "v2"})
    assert [member["ready"] for member in dev["members"]] == [True, True]
    assert dev["fallback"] == ["details"]
    assert console.lane("strict")["fallback"] == []


async def test_share_and_user(mesh: Mesh, console: Watching) -> None:
    trace_id = await visit(mesh, "/productpage", user="jason")
    await console.until(lambda: console.requests[trace_id]["user"] == "jason")
    await visit(mesh, lane="qa")
    await console.until(lambda: console.lane("qa")["requests"] > 0)
    assert 0 < console.lane("qa")["share"] < 1
    everybody = {request["path"] for request in console.requests.values()}
    assert not {path for path in everybody if path.startswith(("/health", "/mesh", "/productpage/static"))}


async def test_a_request_opened_and_why(mesh: Mesh, console: Watching) -> None:
    trace_id = await visit(mesh, lane="dev", user="jason")
    await console.until(lambda: set(console.hops(trace_id)) == chain("dev"))
    status, opened = await console.get(f"/mesh/api/requests/{trace_id}")
    assert status == 200
    assert opened["request"] == console.requests[trace_id]
    spans = {span["name"]: span for span in opened["spans"] if span["explainable"]}
    assert {name.rpartition("/")[2] for name in spans} == {"GetDetails", "GetReviews", "GetRatings"}
    where = f"/mesh/api/requests/{trace_id}/hops"
    reviews = spans["/bookinfo.v1.Reviews/GetReviews"]["span_id"]
    status, why = await console.get(f"{where}/{reviews}/why")
    assert status == 200
    assert why["client"] == "productpage-v1"
    assert why["metadata"] == [["baggage", "env=dev"], ["end-user", "jason"]]
    assert (why["then"]["route"], why["then"]["attempts"]) == ("lane-dev", 1)
    assert why["now"]["route"]["name"] == "lane-dev"
    assert (why["same"], why["changed_since"]) == (True, False)
    assert "Rule lane-dev takes it: it sends lane dev to its own reviews v2." in why["says"]
    details = spans["/bookinfo.v1.Details/GetDetails"]["span_id"]
    _, why = await console.get(f"{where}/{details}/why")
    assert any("no rule of details is for lane dev, so base stands in" in said for said in why["says"])
    root = opened["spans"][0]["span_id"]
    assert (await console.get(f"{where}/{root}/why"))[0] == 409
    assert (await console.get(f"{where}/{'0' * 16}/why"))[0] == 404
    status, answer = await console.get(f"/mesh/api/requests/{'0' * 32}")
    assert (status, answer["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_request_over_http_and_why(mesh: Mesh, console: Watching) -> None:
    await mesh.start("delivery/v1")
    try:
        trace_id = await visit(mesh, "/api/v1/products/0/delivery", lane="qa")
        wanted = ["productpage v1", "delivery v1", "details v2 own"]
        await console.until(lambda: console.hops(trace_id) == wanted)
        _, opened = await console.get(f"/mesh/api/requests/{trace_id}")
        [call] = [span for span in opened["spans"] if span["name"] == "GET"]
        status, why = await console.get(f"/mesh/api/requests/{trace_id}/hops/{call['span_id']}/why")
        assert (status, why["same"]) == (200, True), why
        assert why["target"].startswith("http://delivery.default.svc.cluster.local:9080/")
    finally:
        await mesh.kill("delivery/v1")


async def test_a_strict_lane_says_why_nobody_answered(mesh: Mesh, console: Watching) -> None:
    trace_id = await visit(mesh, lane="strict")
    await console.until(lambda: "details" in console.hops(trace_id))
    _, opened = await console.get(f"/mesh/api/requests/{trace_id}")
    [call] = [span for span in opened["spans"] if "GetDetails" in span["name"]]
    assert (call["code"], call["attempts"]) == ("UNAVAILABLE", [])
    _, why = await console.get(f"/mesh/api/requests/{trace_id}/hops/{call['span_id']}/why")
    assert why["same"]
    assert any("lane strict is strict and nobody of its own" in said for said in why["says"])


async def test_rules_refused_and_mended(mesh: Mesh, console: Watching) -> None:
    held = console.resource("productpage-v1", "CDS", DETAILS)
    assert (held["state"], held["changed"]) == ("ACKED", None)
    report = await mesh.apply(RING % 99_999_999)
    assert not report.ok
    refused = await console.until(
        lambda: (found := console.resource("productpage-v1", "CDS", DETAILS))["state"] == "NACKED" and found
    )
    assert "99999999 is not in [1, 8388608]" in refused["error"]
    assert refused["changed"] is not None
    status, whole = await console.get(f"/mesh/api/rules/productpage-v1/CDS/{DETAILS}")
    assert (status, whole["error"]) == (200, refused["error"])
    assert whole["resource"]["name"] == DETAILS  # what it goes by is what it had
    assert (await console.get("/mesh/api/rules/productpage-v1/CDS/none"))[0] == 404
    report = await mesh.apply(as_yaml(SPEC))
    assert report.ok, report.lines()
    await console.until(lambda: console.resource("productpage-v1", "CDS", DETAILS)["state"] == "ACKED")


async def test_changed_rules_show_in_the_answer_why(mesh: Mesh, console: Watching) -> None:
    trace_id = await visit(mesh, lane="dev")
    await console.until(lambda: set(console.hops(trace_id)) == chain("dev"))
    await mesh.apply(SPLIT)
    try:
        base = {"v1": 50, "v3": 50}
        services = lambda: {each["name"]: each for each in console.sections["mesh"]["services"]}  # noqa: E731
        await console.until(lambda: services()["reviews"]["base"] == base)
        await console.until(lambda: console.resource("productpage-v1", "RDS", REVIEWS)["changed"])
        _, opened = await console.get(f"/mesh/api/requests/{trace_id}")
        [call] = [s for s in opened["spans"] if "GetReviews" in s["name"] and s["kind"] == "CLIENT"]
        _, why = await console.get(f"/mesh/api/requests/{trace_id}/hops/{call['span_id']}/why")
        # None where the last look before the change was one before the call.
        assert why["same"] is False
        assert why["changed_since"] is not False
        assert "By the rules as they are now it would go another way:" in why["says"]
        assert any("reviews v1 50 %, reviews v3 50 %" in said for said in why["says"])
    finally:
        report = await mesh.apply(as_yaml(SPEC))
        assert report.ok, report.lines()


async def test_one_that_is_killed_is_out_of_reach_until_it_is_back(mesh: Mesh, console: Watching) -> None:
    before = await visit(mesh, lane="dev")
    await console.until(lambda: set(console.hops(before)) == chain("dev"))
    await mesh.kill("ratings/v2")
    await console.until(lambda: "connection refused" in console.unreachable()["ratings/v2"])
    await console.until(lambda: not console.lane("dev")["members"][0]["ready"])
    assert "ratings" in console.lane("dev")["fallback"]
    base = await visit(mesh, lane="dev")
    await console.until(lambda: "ratings v1" in console.hops(base))
    await mesh.start("ratings/v2")
    await console.until(lambda: "ratings/v2" not in console.unreachable())
    again = await visit(mesh, lane="dev")
    # Its count starts anew: who went on from the old one would miss what it tells of this request.
    await console.until(lambda: set(console.hops(again)) == chain("dev"))
    _, opened = await console.get(f"/mesh/api/requests/{again}")
    served_by = {(span["service"], span["kind"]) for span in opened["spans"]}
    assert ("ratings", "SERVER") in served_by


async def test_the_same_by_names_alone_as_in_a_cluster(mesh: Mesh) -> None:
    admins = [process.admin for process in (await mesh.status()).processes if process.admin]
    hosts = [(ip, int(port)) for ip, _, port in (admin.rpartition(":") for admin in admins)]
    source = Cluster([*hosts, ("no-such-name.invalid", 15000)])
    async with served(Reading(source, interval=0.1, why_not="this is a cluster")) as console:
        trace_id = await visit(mesh, lane="dev")
        await console.until(lambda: set(console.hops(trace_id)) == chain("dev"))
        shown = console.sections["mesh"]
        assert (shown["name"], shown["writable"], shown["why_not"]) == ("cluster", False, "this is a cluster")
        assert "has no address" in console.unreachable()["no-such-name.invalid"]
        names = {each["name"] for service in shown["services"] for each in service["instances"]}
        assert {"productpage-v1", "reviews-v2", "ratings-v1"} <= names
        assert console.lane("dev")["versions"] == {"reviews": "v2", "ratings": "v2"}
        assert console.lane("dev")["fallback"] == ["details"]
        assert console.lane("strict")["mode"] == "strict"


async def test_nobody_is_asked_while_nobody_watches(mesh: Mesh) -> None:
    reading = Reading(Machine(mesh.state), interval=0.01)
    async with reading:
        running = asyncio.create_task(reading.run())
        found = await reading.snapshot()
        assert set(found) == {"mesh", "topology", "lanes", "requests", "rules", "actions"}
        assert found["requests"]["reset"]
        asked = reading.collector.watched[0].since
        trace_id = await visit(mesh)
        for _ in range(20):
            await asyncio.sleep(0)
        assert reading.collector.watched[0].since == asked
        assert reading.request(trace_id) is None
        running.cancel()
        await asyncio.wait((running,))
        async with asyncio.timeout(10):
            while reading.request(trace_id) is None:  # a span ends when its response has gone
                await reading.look()
        found = await reading.snapshot()
        assert trace_id in [request["trace_id"] for request in found["requests"]["requests"]]
