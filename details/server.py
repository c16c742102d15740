"""details over gRPC."""

from __future__ import annotations

from dataclasses import asdict

import grpc

from bookinfo_pb.v1 import details_pb2
from details.logic import details_of
from serving.identity import Identity

Context = grpc.aio.ServicerContext[object, object]


class DetailsServer:
    """Answers `bookinfo.v1.Details`."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def GetDetails(
        self, request: details_pb2.GetDetailsRequest, context: Context
    ) -> details_pb2.GetDetailsResponse:
        """The facts of one book, NOT_FOUND if it is unknown."""
        book = details_of(request.product_id, self._identity.version)
        if book is None:
            message = f"there are no details of a book {request.product_id}"
            await context.abort(grpc.StatusCode.NOT_FOUND, message)
        details = details_pb2.BookDetails(product_id=request.product_id, **asdict(book))
        return details_pb2.GetDetailsResponse(details=details, hop=self._identity.hop())
