"""The services of the cookbook: a lane that comes in goes on, whole and to nobody else's call."""

from __future__ import annotations

import asyncio
from pathlib import Path

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
