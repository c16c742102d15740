"""Traces of real processes at a real OTLP/HTTP endpoint: who called whom, in every lane."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from mesh import Mesh
from mesh.walkthrough.rules import as_yaml
from tests.fakes.otlp import Collector, Span, edges
from tests.lane_matrix import MATRIX, SHAPES, SPEC, baggage_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("telemetry") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=bookinfo")
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        patch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        patch.setenv("OTEL_SERVICE_NAME", "somebody-else")  # of the user's shell, not of each service
        async with Mesh(state=state, port=0, xds_port=0, admin_port=0) as running:
            report = await running.apply(as_yaml(SPEC))
            assert report.ok, report.lines()
            await running.start("delivery/v1")
            yield running


async def visit(mesh: Mesh, path: str, baggage: str | None, sampled: bool = True) -> str:
    """Ask for something; returns the id of the trace."""
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-0{int(sampled)}"}
    if baggage is not None:
        headers["baggage"] = baggage
    async with aiohttp.ClientSession() as session, session.get(f"{mesh.url}{path}", headers=headers) as got:
        await got.read()
    return trace_id


def called(lane: str) -> set[tuple[str, str]]:
    """The edges that the matrix demands of a request for a book."""
    versions = MATRIX[lane]
    page, reviews = "productpage v1", f"reviews {versions['reviews']}"
    found = {(page, reviews)}
    if versions["details"]:
        found.add((page, f"details {versions['details']}"))
    if versions["ratings"]:
        found.add((reviews, f"ratings {versions['ratings']}"))
    return found


@pytest.mark.parametrize("shape", SHAPES[:2])
@pytest.mark.parametrize("lane", MATRIX)
async def test_who_called_whom_in_each_lane(mesh: Mesh, collector: Collector, lane: str, shape: str) -> None:
    trace_id = await visit(mesh, "/api/v1/products/0", baggage_of(lane, shape))
    # Each process sends its own, when it likes.
    await collector.until(lambda: {s.name for s in collector.of(trace_id)} >= {"GET /api/v1/products/{id}"})
    await collector.until(lambda: edges(collector.of(trace_id)) >= called(lane))
    spans = collector.of(trace_id)
    assert edges(spans) == called(lane)
    assert {span.attributes["lane"] for span in spans} == {lane}
    assert {span.resource["deployment.environment.name"] for span in spans} == {"test"}
    for span in spans:
        if span.kind == Span.CLIENT and "xds.endpoint" in span.attributes:
            assert span.attributes["xds.lane"] == lane
            assert span.attributes["xds.cluster"].startswith("outbound|9080|")
    routed = [span for span in spans if "xds.endpoint" in span.attributes]
    assert len(routed) == len(called(lane))


@pytest.mark.parametrize("lane", ["base", "qa"])
async def test_over_http_as_well(mesh: Mesh, collector: Collector, lane: str) -> None:
    wanted = {("productpage v1", "delivery v1"), ("delivery v1", f"details {MATRIX[lane]['details']}")}
    trace_id = await visit(mesh, "/api/v1/products/0/delivery", baggage_of(lane, SHAPES[0]))
    await collector.until(lambda: edges(collector.of(trace_id)) >= wanted)
    spans = collector.of(trace_id)
    assert edges(spans) == wanted
    assert {span.attributes["lane"] for span in spans} == {lane}
    [request] = [span for span in spans if span.kind == Span.CLIENT and span.name == "GET"]
    assert request.attributes["xds.cluster"].endswith("|delivery.default.svc.cluster.local")
    assert request.attributes["xds.lane"] == lane


async def test_a_caller_that_does_not_sample_is_obeyed(mesh: Mesh, collector: Collector) -> None:
    unsampled = await visit(mesh, "/api/v1/products/0", None, sampled=False)
    sampled = await visit(mesh, "/api/v1/products/0", None)
    await collector.until(lambda: edges(collector.of(sampled)) >= called("base"))
    assert collector.of(unsampled) == []


async def test_headers_and_metrics_of_the_endpoint(mesh: Mesh, collector: Collector) -> None:
    await visit(mesh, "/api/v1/products/0", "env=qa")
    await visit(mesh, "/api/v1/products/0", "env=made-up-by-a-caller")

    def lanes() -> set[str]:
        points = [
            point
            for metric in collector.metrics.get("grpc.client.call.duration", [])
            for point in metric["histogram"]["dataPoints"]
        ]
        return {
            next(a["value"]["stringValue"] for a in point["attributes"] if a["key"] == "lane")
            for point in points
        }

    await collector.until(lambda: {"qa", "other"} <= lanes())
    assert "made-up-by-a-caller" not in lanes()
    assert {headers["x-tenant"] for _, headers in collector.requests} == {"bookinfo"}
    assert {path for path, _ in collector.requests} == {"/v1/traces", "/v1/metrics"}
