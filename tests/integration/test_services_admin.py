"""The admin port of services that run: what it tells, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from bookinfo_pb.v1 import ratings_pb2, reviews_pb2
from bookinfo_pb.v1.ratings_pb2_grpc import RatingsServicer, add_RatingsServicer_to_server
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsStub
from lanes.render import lane_regex
from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane, Stream
from tests.fakes.processes import LOCAL, log_line, running, start

RATINGS = "ratings.default.svc.cluster.local:9080"
TRACE = "0af7651916cd43dd8448eb211c80319c"
EXPLAIN = f"/explain?target=xds:///{RATINGS}&method=/bookinfo.v1.Ratings/GetRatings"


class Ratings(RatingsServicer):
    async def GetRatings(self, request: Any, context: Any) -> ratings_pb2.GetRatingsResponse:
        return ratings_pb2.GetRatingsResponse(product_id=request.product_id)


@asynccontextmanager
async def ratings() -> AsyncIterator[str]:
    server = grpc.aio.server()
    add_RatingsServicer_to_server(Ratings(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


class Admin:
    """A running reviews v2 and questions to its admin port."""

    def __init__(self, process: Process, address: str, url: str, session: aiohttp.ClientSession) -> None:
        self.process = process
        self.address = address
        self._url = url
        self._session = session

    async def ask(self, path: str, method: str = "GET", **options: Any) -> tuple[int, Any]:
        async with self._session.request(method, f"{self._url}{path}", **options) as answer:
            return answer.status, await answer.json()

    async def reason(self, path: str, method: str = "GET", **options: Any) -> tuple[int, str]:
        status, body = await self.ask(path, method, **options)
        return status, body["error"]["reason"]

    async def metrics(self) -> dict[tuple[str, str], float]:
        """The calls counted, by metric and lane."""
        async with self._session.get(f"{self._url}/metrics") as answer:
            assert answer.content_type == "text/plain"
            families = list(text_string_to_metric_families(await answer.text()))
        found: dict[tuple[str, str], float] = {}
        for sample in (sample for family in families for sample in family.samples):
            if sample.name.endswith("_count") and "lane" in sample.labels:
                found[sample.name, sample.labels["lane"]] = sample.value
        return found

    async def get_reviews(self, lane: str | None = None) -> None:
        metadata = [("traceparent", f"00-{TRACE}-b7ad6b7169203331-01")]
        metadata += [("baggage", f"env={lane}")] if lane else []
        async with grpc.aio.insecure_channel(self.address) as channel:
            request = reviews_pb2.GetReviewsRequest(product_id=0)
            await ReviewsStub(channel).GetReviews(request, metadata=metadata, timeout=20)


@pytest_asyncio.fixture
async def admin(control_plane: FakeControlPlane) -> AsyncIterator[Admin]:
    ip = "127.9.16.1"  # no other test listens there
    environ = {"XDS_ADDRESS": control_plane.address, "INSTANCE_IP": ip, "ADMIN_PORT": "15000"}
    async with (
        running("reviews", **(LOCAL | environ | {"SERVICE_VERSION": "v2"})) as (process, address),
        aiohttp.ClientSession() as session,
    ):
        yield Admin(process, address, f"http://{ip}:15000", session)


@asynccontextmanager
async def two_lanes(control_plane: FakeControlPlane) -> AsyncIterator[None]:
    matcher = build.header("baggage", safe_regex_match={"regex": lane_regex("env", "dev")})
    routes = [build.route("v1", headers=[matcher]), build.route("v1")]
    async with ratings() as at:
        control_plane.set(*build.service(RATINGS, {"v1": [at]}, routes))
        await control_plane.until(lambda: any(acknowledged(each) for each in control_plane.streams))
        yield


def acknowledged(stream: Stream) -> bool:
    """Whether the client has taken the last endpoints it was sent, which are the last it needs."""
    nonce = stream.nonces.get(build.EDS)
    return any(r.type_url == build.EDS and r.response_nonce == nonce for r in stream.requests if nonce)


async def test_ready_once_the_mesh_has_told_what_is_needed(
    control_plane: FakeControlPlane, admin: Admin
) -> None:
    assert await admin.ask("/healthz") == (200, {"status": "alive"})
    status, body = await admin.ask("/readyz")
    assert (status, body["ready"]) == (503, False)
    assert list(body["lacking"]) == [f"xds:///{RATINGS}"]
    assert RATINGS in body["lacking"][f"xds:///{RATINGS}"]
    async with two_lanes(control_plane):
        assert await admin.ask("/readyz") == (200, {"ready": True, "lacking": {}})
        control_plane.remove(build.listener(RATINGS))
        assert await log_line_of(admin.process, "does not exist")
        assert (await admin.ask("/readyz"))[0] == 200  # once ready, ready: calls tell the rest


async def test_not_ready_while_draining(control_plane: FakeControlPlane, admin: Admin) -> None:
    async with two_lanes(control_plane), grpc.aio.insecure_channel(admin.address) as channel:
        # A stream that is open keeps the service from ending.
        stream = ReviewsStub(channel).WatchReviews(timeout=20)
        await stream.write(reviews_pb2.GetReviewsRequest(product_id=0))
        await stream.read()
        admin.process.send_signal(signal.SIGTERM)
        await log_line(admin.process, "draining")
        draining = {"ready": False, "lacking": {"service": "draining"}}
        assert await admin.ask("/readyz") == (503, draining)
        await stream.done_writing()
        await stream.read()


async def test_explain_lanes_metrics_and_spans(control_plane: FakeControlPlane, admin: Admin) -> None:
    async with two_lanes(control_plane):
        status, decision = await admin.ask(f"{EXPLAIN}&metadata=baggage=env%3Ddev")
        assert (status, decision["route"]["index"], decision["cluster"]) == (200, 0, "v1")
        _, decision = await admin.ask(f"{EXPLAIN}&metadata=baggage=env%3Dqa&want_route=%230")
        assert decision["route"]["index"] == 1
        assert "baggage" in decision["steps"][0]
        assert decision["wanted"][0]["unmet"]
        lane = {"lane": "dev", "route_configs": [RATINGS]}
        assert await admin.ask("/lanes") == (
            200,
            {"key": "env", "lanes": [lane], "route_configs": [RATINGS]},
        )
        for each in ("dev", "made-up-1", "made-up-2", None):
            await admin.get_reviews(each)
        counted = await admin.metrics()
    for name in ("grpc_server_call_duration_seconds", "grpc_client_call_duration_seconds"):
        assert {lane: number for (of, lane), number in counted.items() if of == f"{name}_count"} == {
            "dev": 1,
            "other": 2,
            "base": 1,
        }
    _, body = await admin.ask(f"/spans?trace_id={TRACE}&lane=dev")
    client, server = body["spans"]
    assert (client["kind"], server["kind"]) == ("CLIENT", "SERVER")
    assert client["parent_span_id"] == server["span_id"]
    assert client["attributes"]["xds.cluster"] == "v1"
    assert client["attributes"]["xds.lane"] == server["attributes"]["lane"] == "dev"
    assert client["attributes"]["xds.attempt"] == 1
    assert {event["name"] for event in client["events"]} <= {"xds.attempt"}  # it may have had to wait
    assert (body["service"], body["version"], body["next"]) == ("reviews", "v2", 8)
    assert (await admin.ask("/spans?since=8"))[1]["spans"] == []
    assert (await admin.ask("/spans"))[1]["run"] == body["run"] != ""
    assert len((await admin.ask("/spans?limit=3"))[1]["spans"]) == 3


async def test_the_log_level(control_plane: FakeControlPlane, admin: Admin) -> None:
    assert await admin.ask("/loglevel") == (200, {"level": "INFO"})
    assert await admin.ask("/loglevel?level=warning", "PUT") == (200, {"level": "WARNING"})
    assert await admin.ask("/loglevel", "POST", json={"level": "DEBUG"}) == (200, {"level": "DEBUG"})
    assert (await log_line(admin.process, "log_level"))["set_to"] == "DEBUG"  # of WARNING nothing is said
    assert await admin.ask("/loglevel") == (200, {"level": "DEBUG"})


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nothing", 404, "GET /nothing: Not Found"),
        ("PUT", "/lanes", 405, "PUT /lanes: Method Not Allowed"),
        ("GET", "/explain", 400, "the parameter method is needed, once."),
        ("GET", "/explain?target=ratings&method=/a.B/C", 400, "ratings"),
        ("GET", "/spans?since=x", 400, "since='x' is not a number."),
        ("PUT", "/loglevel?level=loud", 400, "level='loud' is none of DEBUG, INFO, WARNING and ERROR."),
    ],
)
async def test_what_it_refuses(admin: Admin, method: str, path: str, status: int, said: str) -> None:
    found, reason = await admin.reason(path, method)
    assert (found, said in reason) == (status, True), reason


async def test_explain_does_not_wait_for_ever(control_plane: FakeControlPlane, admin: Admin) -> None:
    control_plane.set(build.listener(RATINGS))  # and no routes to go with it
    await control_plane.until(lambda: any(build.RDS in each.names for each in control_plane.streams))
    status, reason = await admin.reason(f"{EXPLAIN}&timeout=0.01")
    assert (status, "still waiting for RDS" in reason) == (504, True), reason


async def test_pages_in_a_browser_get_nothing(admin: Admin) -> None:
    status, reason = await admin.reason("/lanes", headers={"Host": "example.com"})
    assert (status, reason) == (403, "Host 'example.com' is not a loopback address or localhost.")
    origin = {"Origin": "http://example.com"}
    assert (await admin.reason("/loglevel?level=ERROR", "POST", headers=origin))[0] == 403
    assert await admin.ask("/loglevel") == (200, {"level": "INFO"})


async def test_a_service_that_calls_nobody() -> None:
    ip = "127.9.16.2"
    async with (
        running("details", INSTANCE_IP=ip, ADMIN_PORT="15000"),
        aiohttp.ClientSession() as session,
    ):
        for path, status in {"/readyz": 200, "/lanes": 404, EXPLAIN: 404, "/spans": 200}.items():
            async with session.get(f"http://{ip}:15000{path}") as answer:
                assert answer.status == status, await answer.text()
                if status == 404:
                    assert "details v1 calls nobody through the mesh" in await answer.text()


async def test_log_lines_have_the_ids_of_their_span() -> None:
    unused = {f"{name}_TARGET": "127.0.0.1:1" for name in ("DETAILS", "REVIEWS", "RATINGS")}
    async with running("productpage", **unused) as (process, address), aiohttp.ClientSession() as session:
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        async with session.get(f"http://{address}/api/v1/products/0", headers=headers) as answer:
            await answer.read()
        line = await asyncio.wait_for(log_line(process, "request"), 20)
    assert line["trace_id"] == TRACE
    assert len(line["span_id"]) == 16
    assert line["span_id"] != "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
            "details: OTEL_EXPORTER_OTLP_ENDPOINT='collector:4318' is not a URL such as "
            "http://otel-collector:4318.\n",
        ),
    ],
)
async def test_an_endpoint_that_cannot_be_used(environ: dict[str, str], said: str) -> None:
    process = await start("details", **(LOCAL | environ))
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err.decode()) == (2, said)


async def test_an_endpoint_that_does_not_answer_holds_up_no_end() -> None:
    # The system takes its connections, and nobody reads what comes.
    held = socket.create_server(("127.0.0.1", 0))
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{held.getsockname()[1]}"}
    with held:
        async with running("ratings", **endpoint) as (process, address):
            async with grpc.aio.insecure_channel(address) as channel:
                await channel.unary_unary("/bookinfo.v1.Ratings/GetRatings")(b"", timeout=20)
            process.send_signal(signal.SIGTERM)
            # The exporters would go on for 20 s.
            await asyncio.wait_for(process.communicate(), 8)
            assert process.returncode == 0


async def log_line_of(process: Process, words: str) -> dict[str, Any]:
    """The next log line with these words."""
    assert process.stderr is not None
    async for line in process.stderr:
        fields: dict[str, Any] = json.loads(line)
        if words in fields["message"]:
            return fields
    raise AssertionError(f"the process ended without {words!r}")
