"""The services behind the page: each call ends in an answer or in a failure that can be shown."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import grpc

from bookinfo_pb.v1 import details_pb2, ratings_pb2, reviews_pb2
from bookinfo_pb.v1.details_pb2_grpc import DetailsStub
from bookinfo_pb.v1.ratings_pb2_grpc import RatingsStub
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsStub
from lanes.context import current
from serving.failures import Failure, failure, response_failure
from serving.hops import Span
from serving.http_client import HttpService

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a product page is made of; each part may have failed on its own."""

    details: details_pb2.GetDetailsResponse | Failure
    reviews: reviews_pb2.GetReviewsResponse | Failure
    spans: Mapping[str, Span] = field(default_factory=dict)
    """How long each took, answered or not, by the service asked."""


class Backends:
    """details, reviews and ratings, each over a channel of its own, and delivery, which speaks HTTP.

    `timeout` in seconds is for each call.
    """

    def __init__(
        self, channels: Mapping[str, grpc.aio.Channel], delivery: HttpService, timeout: float
    ) -> None:
        self._delivery = delivery
        self._details = DetailsStub(channels["details"])
        self._reviews = ReviewsStub(channels["reviews"])
        self._ratings = RatingsStub(channels["ratings"])
        self._timeout = timeout

    async def parts(self, product_id: int) -> Parts:
        """Details and reviews, asked for at once."""
        began = time.perf_counter()
        (details, on_details), (reviews, on_reviews) = await asyncio.gather(
            _timed(self.details(product_id), began), _timed(self.reviews(product_id), began)
        )
        return Parts(details, reviews, {"details": on_details, "reviews": on_reviews})

    async def details(self, product_id: int) -> details_pb2.GetDetailsResponse | Failure:
        """The details of a book."""
        request = details_pb2.GetDetailsRequest(product_id=product_id)
        return await _outcome("details", self._details.GetDetails(request, timeout=self._timeout))

    async def reviews(self, product_id: int) -> reviews_pb2.GetReviewsResponse | Failure:
        """The reviews of a book."""
        request = reviews_pb2.GetReviewsRequest(product_id=product_id)
        return await _outcome("reviews", self._reviews.GetReviews(request, timeout=self._timeout))

    async def ratings(self, product_id: int) -> ratings_pb2.GetRatingsResponse | Failure:
        """The ratings of a book, from ratings itself as in Istio's bookinfo."""
        request = ratings_pb2.GetRatingsRequest(product_id=product_id)
        return await _outcome("ratings", self._ratings.GetRatings(request, timeout=self._timeout))

    async def delivery(self, product_id: int) -> dict[str, Any] | Failure:
        """When a book would arrive, as delivery says it."""
        try:
            async with self._delivery.get(f"/delivery/{product_id}", self._timeout) as response:
                if response.status == 200:
                    answer: dict[str, Any] = await response.json()
                    return answer
                return _failed(
                    "delivery", response_failure(response.status, await response.text(), current().lane_name)
                )
        except TimeoutError as error:
            late = str(error) or f"no answer within {self._timeout:g} s"
            return _failed("delivery", failure("DEADLINE_EXCEEDED", late))
        except (aiohttp.ClientError, ValueError) as error:
            return _failed("delivery", failure("UNAVAILABLE", str(error)))


async def _timed(call: Awaitable[T], began: float) -> tuple[T, Span]:
    asked = time.perf_counter()
    answer = await call
    return answer, Span(asked - began, time.perf_counter() - asked)


async def _outcome(callee: str, call: Awaitable[T]) -> T | Failure:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return _failed(callee, failure(error.code().name, error.details(), current().lane_name))


def _failed(callee: str, outcome: Failure) -> Failure:
    fields = {"event": "call_failed", "callee": callee, "code": outcome.code}
    _log.warning("%s failed: %s", callee, outcome.reason, extra=fields)
    return outcome
