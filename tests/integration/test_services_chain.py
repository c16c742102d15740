"""reviews and ratings in this process, over real connections: stars, failures, streams, lanes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from bookinfo_pb.v1 import details_pb2, ratings_pb2, reviews_pb2
from bookinfo_pb.v1.details_pb2_grpc import DetailsStub, add_DetailsServicer_to_server
from bookinfo_pb.v1.ratings_pb2_grpc import RatingsStub, add_RatingsServicer_to_server
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsStub, add_ReviewsServicer_to_server
from details.server import DetailsServer
from ratings.server import RatingsServer
from reviews.server import ReviewsServer
from serving.channels import open_channels
from serving.grpc_server import listen, new_server
from serving.identity import Identity
from serving.settings import Settings

LOCAL = {"BIND_IP": "127.0.0.1", "PORT": "0"}


@asynccontextmanager
async def served(add: Any, servicer: Any, service: str) -> AsyncIterator[str]:
    """The address of a running server."""
    settings = Settings.read(service, LOCAL)
    server = new_server(settings)
    add(servicer, server)
    address = listen(server, settings)
    await server.start()
    try:
        yield address
    finally:
        await server.stop(None)


@asynccontextmanager
async def ratings_at(version: str = "v2") -> AsyncIterator[str]:
    servicer = RatingsServer(Identity("ratings", version, f"ratings-{version}-0"))
    async with served(add_RatingsServicer_to_server, servicer, "ratings") as address:
        yield address


@asynccontextmanager
async def reviews_stub(version: str, ratings: str) -> AsyncIterator[ReviewsStub]:
    async with AsyncExitStack() as stack:
        inner = await stack.enter_async_context(open_channels({"ratings": ratings}))
        identity = Identity("reviews", version, f"reviews-{version}-0")
        servicer = ReviewsServer(identity, RatingsStub(inner["ratings"]))
        address = await stack.enter_async_context(served(add_ReviewsServicer_to_server, servicer, "reviews"))
        outer = await stack.enter_async_context(open_channels({"reviews": address}))
        yield ReviewsStub(outer["reviews"])


def book(product_id: int = 0) -> reviews_pb2.GetReviewsRequest:
    return reviews_pb2.GetReviewsRequest(product_id=product_id)


@pytest.mark.parametrize(("version", "color"), [("v2", "black"), ("v3", "red")])
async def test_stars_and_hops(version: str, color: str) -> None:
    async with ratings_at("v1") as ratings, reviews_stub(version, ratings) as stub:
        answer = await stub.GetReviews(book(), metadata=[("baggage", "user=7,env=dev;ttl=1")], timeout=10)
    assert [(r.rating.stars, r.rating.color) for r in answer.reviews] == [(1, color)] * 2
    assert answer.ratings_error == ""
    hop = answer.hop
    assert (hop.service, hop.version, hop.instance, hop.lane) == (
        "reviews",
        version,
        f"reviews-{version}-0",
        "dev",
    )
    assert [(c.service, c.version, c.lane) for c in hop.calls] == [("ratings", "v1", "dev")]


async def test_version_1_has_no_stars_and_does_not_call_ratings() -> None:
    async with reviews_stub("v1", "127.0.0.1:1") as stub:
        answer = await stub.GetReviews(book(), timeout=10)
    assert len(answer.reviews) == 2
    assert not any(review.HasField("rating") for review in answer.reviews)
    assert (answer.ratings_error, list(answer.hop.calls), answer.hop.lane) == ("", [], "base")


async def test_reviews_outlive_ratings() -> None:
    async with ratings_at() as ratings:
        pass  # its port is closed now
    async with reviews_stub("v2", ratings) as stub:
        answer = await stub.GetReviews(book(), timeout=10)
    assert len(answer.reviews) == 2
    assert answer.ratings_error.startswith("UNAVAILABLE: ")


async def test_the_deadline_goes_along_and_leaves_time_to_answer() -> None:
    left: list[float | None] = []

    class Late:
        async def GetRatings(self, request: Any, context: Any) -> Any:
            left.append(context.time_remaining())
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")

        WatchRatings = GetRatings

    async with (
        served(add_RatingsServicer_to_server, Late(), "ratings") as ratings,
        reviews_stub("v2", ratings) as stub,
    ):
        answer = await stub.GetReviews(book(), timeout=100)
        assert answer.ratings_error == "DEADLINE_EXCEEDED: too late"
        await stub.GetReviews(book())
    assert left[0] is not None
    assert 0 < left[0] <= 91
    assert left[1] is None


async def test_unknown_books_are_not_found() -> None:
    details = DetailsServer(Identity("details", "v1", "d"))
    async with (
        ratings_at() as ratings,
        reviews_stub("v2", ratings) as reviews,
        served(add_DetailsServicer_to_server, details, "details") as address,
        open_channels({"details": address, "ratings": ratings}) as channels,
    ):
        calls = [
            reviews.GetReviews(book(99)),
            DetailsStub(channels["details"]).GetDetails(details_pb2.GetDetailsRequest(product_id=99)),
            RatingsStub(channels["ratings"]).GetRatings(ratings_pb2.GetRatingsRequest(product_id=-1)),
        ]
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert "book" in (caught.value.details() or "")


async def test_bidirectional_streams_keep_their_lane() -> None:
    async with ratings_at() as ratings, reviews_stub("v2", ratings) as stub:

        async def watch(lane: str) -> None:
            stream = stub.WatchReviews(metadata=[("baggage", f"env={lane}")], timeout=30)
            for product_id in (0, 1, 2, 0):
                await stream.write(book(product_id))
                answer = await stream.read()
                assert answer.product_id == product_id
                assert (answer.hop.lane, answer.hop.calls[0].lane) == (lane, lane)
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF
            assert await stream.code() is grpc.StatusCode.OK

        await asyncio.gather(*(watch(f"lane-{number}") for number in range(20)))


async def test_ratings_stream_answers_in_order() -> None:
    async with ratings_at("v1") as address, open_channels({"ratings": address}) as channels:
        requests = [ratings_pb2.GetRatingsRequest(product_id=i) for i in (3, 1, 2)]
        stream = RatingsStub(channels["ratings"]).WatchRatings(iter(requests), timeout=10)
        answers = [answer async for answer in stream]
    assert [answer.product_id for answer in answers] == [3, 1, 2]
    assert {stars for answer in answers for stars in answer.ratings.values()} == {1}
    assert {answer.hop.version for answer in answers} == {"v1"}


async def test_200_requests_of_mixed_lanes_and_none_crosses() -> None:
    lanes = ["dev", "qa", "prod-1", None]
    async with ratings_at() as ratings, reviews_stub("v3", ratings) as stub:

        async def one(number: int) -> None:
            lane = lanes[number % len(lanes)]
            baggage = f"n={number},env={lane};p=1" if lane else f"n={number}"
            answer = await stub.GetReviews(book(number % 5), metadata=[("baggage", baggage)], timeout=30)
            assert (answer.hop.lane, answer.hop.calls[0].lane) == (lane or "base",) * 2

        await asyncio.gather(*(one(number) for number in range(200)))
