"""The services behind the page: each call ends in an answer or in a failure that can be shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import grpc

from bookinfo_pb.v1 import details_pb2, ratings_pb2, reviews_pb2
from bookinfo_pb.v1.details_pb2_grpc import DetailsStub
from bookinfo_pb.v1.ratings_pb2_grpc import RatingsStub
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsStub
from productpage.logic import Failure, failure

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a product page is made of; each part may have failed on its own."""

    details: details_pb2.GetDetailsResponse | Failure
    reviews: reviews_pb2.GetReviewsResponse | Failure


class Backends:
    """details, reviews and ratings, each over a channel of its own; `timeout` in seconds is for each call."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], timeout: float) -> None:
        self._details = DetailsStub(channels["details"])
        self._reviews = ReviewsStub(channels["reviews"])
        self._ratings = RatingsStub(channels["ratings"])
        self._timeout = timeout

    async def parts(self, product_id: int) -> Parts:
        """Details and reviews, asked for at once."""
        details, reviews = await asyncio.gather(self.details(product_id), self.reviews(product_id))
        return Parts(details, reviews)

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


async def _outcome(callee: str, call: Awaitable[T]) -> T | Failure:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        outcome = failure(error.code().name, error.details())
        fields = {"event": "call_failed", "callee": callee, "code": outcome.code}
        _log.warning("%s failed: %s", callee, outcome.reason, extra=fields)
        return outcome
