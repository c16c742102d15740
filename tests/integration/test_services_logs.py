"""The log lines of running services: JSON, with the lane and the trace of the request each belongs to."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bookinfo_pb.v1 import reviews_pb2
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsStub
from tests.fakes.processes import log_line, running

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CARRIED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "baggage": "env=dev", "x-request-id": "r-1"}
TRACED = {"trace_id": TRACE, "lane": "dev", "request_id": "r-1"}


async def request_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    return await asyncio.wait_for(log_line(process, "request"), 20)


async def test_every_service_logs_its_requests_with_their_trace_and_lane() -> None:
    async with AsyncExitStack() as stack:
        processes: dict[str, asyncio.subprocess.Process] = {}
        environ = {"TRUST_BAGGAGE": "on", "SERVICE_VERSION": "v2"}
        for service in ("details", "ratings", "reviews", "delivery", "productpage"):
            processes[service], at = await stack.enter_async_context(running(service, **environ))
            environ[f"{service.upper()}_TARGET"] = at
        session = await stack.enter_async_context(aiohttp.ClientSession())
        for path in ("health", "api/v1/products/0", "api/v1/products/0/delivery"):
            async with session.get(f"http://{at}/{path}", headers=CARRIED) as answer:
                assert answer.status == 200, await answer.text()
        lines = {name: await request_line(process) for name, process in processes.items()}
        again = {name: await request_line(processes[name]) for name in ("details", "productpage")}
    asked = {name: (line["method"], line.get("path"), line["status"]) for name, line in lines.items()}
    assert asked == {
        "details": ("/bookinfo.v1.Details/GetDetails", None, "OK"),
        "ratings": ("/bookinfo.v1.Ratings/GetRatings", None, "OK"),
        "reviews": ("/bookinfo.v1.Reviews/GetReviews", None, "OK"),
        "delivery": ("GET", "/delivery/0", 200),
        "productpage": ("GET", "/api/v1/products/0", 200),
    }
    assert again["productpage"]["path"] == "/api/v1/products/0/delivery"
    told = [*lines.values(), *again.values()]
    for line in told:
        assert line.items() >= TRACED.items(), line
        assert line["milliseconds"] >= 0
    spans = [line["span_id"] for line in told]
    assert len(set(spans)) == len(spans)
    assert PARENT not in spans


async def test_a_stream_has_one_line_when_it_ends_and_what_fails_has_its_status() -> None:
    metadata = tuple(CARRIED.items())
    async with running("reviews", RATINGS_TARGET="127.0.0.1:1") as (process, address):
        async with grpc.aio.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            await health.Check(health_pb2.HealthCheckRequest(), timeout=20)
            stream = ReviewsStub(channel).WatchReviews(timeout=20, metadata=metadata)
            for product in (0, 0):
                await stream.write(reviews_pb2.GetReviewsRequest(product_id=product))
                await stream.read()
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF
            with pytest.raises(grpc.aio.AioRpcError):
                request = reviews_pb2.GetReviewsRequest(product_id=99)
                await ReviewsStub(channel).GetReviews(request, timeout=20, metadata=metadata)
        streamed, failed = await request_line(process), await request_line(process)
    assert (streamed["method"], streamed["status"]) == ("/bookinfo.v1.Reviews/WatchReviews", "OK")
    assert (failed["method"], failed["status"]) == ("/bookinfo.v1.Reviews/GetReviews", "NOT_FOUND")
    for line in (streamed, failed):
        assert line.items() >= TRACED.items(), line


async def test_what_goes_wrong_on_the_way_has_the_ids_of_the_request() -> None:
    async with running("reviews", SERVICE_VERSION="v2", RATINGS_TARGET="127.0.0.1:1") as (process, address):
        async with grpc.aio.insecure_channel(address) as channel:
            request = reviews_pb2.GetReviewsRequest(product_id=0)
            await ReviewsStub(channel).GetReviews(request, timeout=20, metadata=tuple(CARRIED.items()))
        line = await asyncio.wait_for(log_line(process, "call_failed"), 20)
        answered = await request_line(process)
    assert (line["callee"], line["level"]) == ("ratings", "WARNING")
    assert line.items() >= TRACED.items()
    assert line["span_id"] == answered["span_id"]
