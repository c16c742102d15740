"""productpage over HTTP: the API, and the health."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bookinfo_pb.v1 import hop_pb2
from productpage import logic
from productpage.backends import Backends
from productpage.requests import product_of
from serving.failures import Failure, http_status
from serving.hops import hop_tree
from serving.identity import Identity


class PageServer:
    """The handlers of the API."""

    def __init__(self, identity: Identity, backends: Backends) -> None:
        self._identity = identity
        self._backends = backends
        self.healthy = True

    def routes(self) -> list[web.RouteDef]:
        """What is served where."""
        return [
            web.get("/", self.root),
            web.get("/health", self.health),
            web.get("/api/v1/products", self.products),
            web.get("/api/v1/products/{id}", self.product),
            web.get("/api/v1/products/{id}/reviews", self.reviews),
            web.get("/api/v1/products/{id}/ratings", self.ratings),
            web.get("/api/v1/products/{id}/delivery", self.delivery),
        ]

    def drain(self) -> None:
        """No more requests, please."""
        self.healthy = False

    async def root(self, request: web.Request) -> web.StreamResponse:
        """To the page."""
        raise web.HTTPFound("/productpage")

    async def health(self, request: web.Request) -> web.StreamResponse:
        """200 while requests are welcome, 503 while draining."""
        return web.json_response(
            {"status": "serving" if self.healthy else "draining"}, status=200 if self.healthy else 503
        )

    async def products(self, request: web.Request) -> web.StreamResponse:
        """The catalogue."""
        return web.json_response([logic.product_json(product) for product in logic.CATALOGUE.values()])

    async def product(self, request: web.Request) -> web.StreamResponse:
        """A book with details and reviews (or the `error` of each), and `hops`: who served it.

        The status is 200 as long as either could be had, otherwise that of the details' failure.
        """
        product = product_of(request.match_info["id"])
        parts = await self._backends.parts(product.id)
        body = logic.product_json(product)
        calls: list[hop_pb2.Hop] = []
        status = 200
        if isinstance(parts.details, Failure):
            body["details"] = {"error": parts.details.to_json()}
            if isinstance(parts.reviews, Failure):
                status = http_status(parts.details.code)
        else:
            body["details"] = logic.details_json(parts.details)
            calls.append(parts.details.hop)
        if isinstance(parts.reviews, Failure):
            body["reviews"] = {"error": parts.reviews.to_json()}
        else:
            body["reviews"] = logic.reviews_json(parts.reviews)
            calls.append(parts.reviews.hop)
        return self._json(body, calls, status)

    async def reviews(self, request: web.Request) -> web.StreamResponse:
        """The reviews of a book."""
        product = product_of(request.match_info["id"])
        answer = await self._backends.reviews(product.id)
        if isinstance(answer, Failure):
            return self._failed(product.id, answer)
        return self._json({"id": product.id, **logic.reviews_json(answer)}, [answer.hop])

    async def ratings(self, request: web.Request) -> web.StreamResponse:
        """The ratings of a book."""
        product = product_of(request.match_info["id"])
        answer = await self._backends.ratings(product.id)
        if isinstance(answer, Failure):
            return self._failed(product.id, answer)
        return self._json({"id": product.id, **logic.ratings_json(answer)}, [answer.hop])

    async def delivery(self, request: web.Request) -> web.StreamResponse:
        """When a book would arrive: asked of a service that speaks HTTP."""
        product = product_of(request.match_info["id"])
        answer = await self._backends.delivery(product.id)
        if isinstance(answer, Failure):
            return self._failed(product.id, answer)
        hops = hop_tree(self._identity.hop())
        hops["calls"].append(answer.pop("hops"))
        body = {"id": product.id, **answer, "hops": hops}
        return web.json_response(body, headers={"Cache-Control": "no-store"})

    def _json(self, body: dict[str, Any], calls: list[hop_pb2.Hop], status: int = 200) -> web.Response:
        body["hops"] = hop_tree(self._identity.hop(calls))
        return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})

    def _failed(self, product_id: int, answer: Failure) -> web.Response:
        body = {"id": product_id, "error": answer.to_json()}
        return self._json(body, [], http_status(answer.code))
