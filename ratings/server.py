"""ratings over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc

from bookinfo_pb.v1 import ratings_pb2
from ratings.logic import ratings_of
from serving.identity import Identity

Context = grpc.aio.ServicerContext[object, object]


class RatingsServer:
    """Answers `bookinfo.v1.Ratings`."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def GetRatings(
        self, request: ratings_pb2.GetRatingsRequest, context: Context
    ) -> ratings_pb2.GetRatingsResponse:
        """The ratings of one book, NOT_FOUND if it is unknown."""
        return await self._answer(request.product_id, context)

    async def WatchRatings(
        self, requests: AsyncIterator[ratings_pb2.GetRatingsRequest], context: Context
    ) -> AsyncIterator[ratings_pb2.GetRatingsResponse]:
        """The ratings of each book asked for, until the caller has no more."""
        async for request in requests:
            yield await self._answer(request.product_id, context)

    async def _answer(self, product_id: int, context: Context) -> ratings_pb2.GetRatingsResponse:
        ratings = ratings_of(product_id, self._identity.version)
        if ratings is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there are no ratings for a book {product_id}")
        return ratings_pb2.GetRatingsResponse(
            product_id=product_id, ratings=ratings, hop=self._identity.hop()
        )
