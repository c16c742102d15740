"""reviews over gRPC; versions with stars ask ratings for them."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import grpc

from bookinfo_pb.v1 import hop_pb2, ratings_pb2, ratings_pb2_grpc, reviews_pb2
from reviews.logic import reviews_of, star_color
from serving.grpc_server import remaining
from serving.hops import Span, measured
from serving.identity import Identity

Context = grpc.aio.ServicerContext[object, object]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stars:
    """What ratings had to say: stars by reviewer and its hop, or why there are none."""

    by_reviewer: Mapping[str, int] = field(default_factory=dict)
    calls: tuple[hop_pb2.Hop, ...] = ()
    error: str = ""


class ReviewsServer:
    """Answers `bookinfo.v1.Reviews`; without a stub for ratings there are no stars."""

    def __init__(self, identity: Identity, ratings: ratings_pb2_grpc.RatingsStub | None) -> None:
        self._identity = identity
        self._color = star_color(identity.version)
        self._ratings = ratings if self._color is not None else None

    async def GetReviews(
        self, request: reviews_pb2.GetReviewsRequest, context: Context
    ) -> reviews_pb2.GetReviewsResponse:
        """The reviews of one book, NOT_FOUND if it is unknown; ratings may fail without failing this."""
        return await self._answer(request.product_id, context)

    async def WatchReviews(
        self, requests: AsyncIterator[reviews_pb2.GetReviewsRequest], context: Context
    ) -> AsyncIterator[reviews_pb2.GetReviewsResponse]:
        """The reviews of each book asked for, until the caller has no more."""
        async for request in requests:
            yield await self._answer(request.product_id, context)

    async def _answer(self, product_id: int, context: Context) -> reviews_pb2.GetReviewsResponse:
        began = time.perf_counter()
        reviews = reviews_of(product_id)
        if reviews is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there are no reviews of a book {product_id}")
        stars = await self._stars(product_id, remaining(context), began)
        answer = reviews_pb2.GetReviewsResponse(
            product_id=product_id, hop=self._identity.hop(stars.calls), ratings_error=stars.error
        )
        for review in reviews:
            shown = answer.reviews.add(reviewer=review.reviewer, text=review.text)
            if (count := stars.by_reviewer.get(review.reviewer)) is not None:
                shown.rating.stars = count
                shown.rating.color = self._color or ""
        return answer

    async def _stars(self, product_id: int, timeout: float | None, began: float) -> Stars:
        if self._ratings is None:
            return Stars()
        request = ratings_pb2.GetRatingsRequest(product_id=product_id)
        asked = time.perf_counter()
        try:
            answer = await self._ratings.GetRatings(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            _log.warning("ratings failed: %s", reason, extra={"event": "call_failed", "callee": "ratings"})
            return Stars(error=reason)
        measured(answer.hop, Span(asked - began, time.perf_counter() - asked))
        return Stars(answer.ratings, (answer.hop,))
