"""The services of the cookbook: a lane that comes in goes on, whole and to nobody else's call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import grpc
import pytest

from bookinfo_pb.v1.reviews_pb2 import GetReviewsRequest
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsStub
from tests.cookbook.hop import BAGGAGE, Asked, ratings, serving
from tests.cookbook.page import block, without

RIGHT: list[Asked] = [("v2", BAGGAGE), ("v1", None)]
LOST: list[Asked] = [("v1", None), ("v1", None)]


async def over_grpc(program: str, folder: Path) -> list[Asked]:
    """Whom the program asks for a call with a lane, and for one without."""
    async with (
        ratings() as (mesh, asked),
        serving(program, mesh, folder) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub, found = ReviewsStub(channel), []
        for metadata in ([("baggage", BAGGAGE)], None):
            answer = await stub.GetReviews(GetReviewsRequest(), metadata=metadata, timeout=20)
            found.append(asked.get_nowait())
            assert [hop.version for hop in answer.hop.calls] == [found[-1][0]]
        lanes = [[("baggage", "env=dev")], None] * 20
        answers = await asyncio.gather(*(stub.GetReviews(GetReviewsRequest(), metadata=m) for m in lanes))
        if found == RIGHT:
            assert [answer.hop.calls[0].version for answer in answers] == ["v2", "v1"] * 20
        return found


async def test_a_grpc_service(tmp_path: Path) -> None:
    assert await over_grpc(block("A gRPC service"), tmp_path) == RIGHT


@pytest.mark.parametrize(
    "line", ["interceptors=[LaneServerInterceptor()]", ", interceptors=grpc_client.interceptors()"]
)
async def test_a_grpc_service_loses_the_lane_without_its_lines(tmp_path: Path, line: str) -> None:
    assert await over_grpc(without(block("A gRPC service"), line), tmp_path) == LOST


async def over_http(program: str, folder: Path) -> list[Asked]:
    """Whom the program asks for a request with a lane, and for one without."""
    async with (
        ratings() as (mesh, asked),
        serving(program, mesh, folder) as address,
        aiohttp.ClientSession(f"http://{address}", raise_for_status=True) as session,
    ):

        async def served_by(baggage: str | None) -> str:
            async with session.get("/stars", headers={"baggage": baggage} if baggage else {}) as answer:
                version: str = (await answer.json())["served_by"]
                return version

        found = []
        for baggage in (BAGGAGE, None):
            version = await served_by(baggage)
            found.append(asked.get_nowait())
            assert version == found[-1][0]
        versions = await asyncio.gather(*(served_by(baggage) for baggage in ["env=dev", None] * 20))
        if found == RIGHT:
            assert versions == ["v2", "v1"] * 20
        return found


HTTP = {
    "An aiohttp service": ("middlewares=[lane_middleware()]", ", interceptors=grpc_client.interceptors()"),
    "A FastAPI service": (
        "app.add_middleware(LaneMiddleware)\n",
        ", interceptors=grpc_client.interceptors()",
    ),
}


@pytest.mark.parametrize("title", HTTP)
async def test_an_http_service(tmp_path: Path, title: str) -> None:
    assert await over_http(block(title), tmp_path) == RIGHT


@pytest.mark.parametrize(("title", "line"), [(title, line) for title in HTTP for line in HTTP[title]])
async def test_an_http_service_loses_the_lane_without_its_lines(
    tmp_path: Path, title: str, line: str
) -> None:
    assert await over_http(without(block(title), line), tmp_path) == LOST


async def test_what_fastapi_runs_in_a_thread_is_in_the_lane(tmp_path: Path) -> None:
    async with (
        ratings() as (mesh, _),
        serving(block("A FastAPI service"), mesh, tmp_path) as address,
        aiohttp.ClientSession(f"http://{address}", raise_for_status=True) as session,
    ):
        for baggage, lane in ((BAGGAGE, "dev"), ("user=7", "base")):
            async with session.get("/lane", headers={"baggage": baggage}) as answer:
                assert await answer.json() == lane
