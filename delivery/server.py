"""delivery over HTTP: one answer, and the health."""

from __future__ import annotations

import grpc
from aiohttp import web

from bookinfo_pb.v1 import details_pb2
from bookinfo_pb.v1.details_pb2_grpc import DetailsStub
from delivery.logic import delivery_of
from lanes.http import lane_middleware
from serving.failures import failure, http_status
from serving.hops import hop_tree
from serving.http_errors import plain_errors, refusal
from serving.http_server import middlewares
from serving.identity import Identity
from serving.request_lines import request_lines
from serving.requests import product_id_of
from serving.settings import Settings
from telemetry.lane_labels import KnownLanes


class DeliveryServer:
    """The handlers of delivery; `timeout` in seconds is for the call of details."""

    def __init__(self, identity: Identity, details: DetailsStub, timeout: float) -> None:
        self._identity = identity
        self._details = details
        self._timeout = timeout
        self.healthy = True

    def drain(self) -> None:
        """No more requests, please."""
        self.healthy = False

    async def health(self, request: web.Request) -> web.StreamResponse:
        """200 while requests are welcome, 503 while draining."""
        return web.json_response(
            {"status": "serving" if self.healthy else "draining"}, status=200 if self.healthy else 503
        )

    async def delivery(self, request: web.Request) -> web.StreamResponse:
        """When a book arrives; what it weighs is known from its details, which are asked for over gRPC."""
        text = request.match_info["id"]
        product_id = product_id_of(text)
        if product_id is None:
            reason = f"the id of a product is a number of at most nine digits, not {text[:40]!r}"
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", reason)
        wanted = details_pb2.GetDetailsRequest(product_id=product_id)
        try:
            answer = await self._details.GetDetails(wanted, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            failed = failure(error.code().name, error.details())
            return web.json_response({"error": failed.to_json()}, status=http_status(failed.code))
        found = delivery_of(answer.details.pages, self._identity.version)
        return web.json_response(found.to_json() | {"hops": hop_tree(self._identity.hop([answer.hop]))})


def application(
    settings: Settings, server: DeliveryServer, lanes: KnownLanes | None = None
) -> web.Application:
    """The application: requests are served in the lane they come in; `lanes` are those metrics tell apart."""
    known = lanes or settings.known_lanes()
    lane = lane_middleware(settings.forwarding)
    app = web.Application(middlewares=[*middlewares(lane, known), request_lines, plain_errors("delivery")])
    app.add_routes([web.get("/health", server.health), web.get("/delivery/{id}", server.delivery)])
    return app
