"""productpage over HTTP: the page, the API, signing in and out, and the health."""

from __future__ import annotations

from typing import Any

import jinja2
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bookinfo_pb.v1 import hop_pb2
from lanes.context import current
from productpage import logic, session
from productpage.backends import Backends
from productpage.door import USER
from serving.failures import Failure, http_status
from serving.hops import hop_tree
from serving.http_errors import refusal
from serving.identity import Identity
from serving.requests import product_id_of

# How aiohttp says that a body is not the form its headers announce.
_FORM_FAULTS = (ValueError, LookupError, AssertionError, RuntimeError, HttpProcessingError)
_PAGE_HEADERS = {
    # Who served a page is its whole point, so it must not come from a cache.
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class PageServer:
    """The handlers of productpage."""

    def __init__(self, identity: Identity, backends: Backends, secret: bytes) -> None:
        self._identity = identity
        self._backends = backends
        self._secret = secret
        self.healthy = True
        loader = jinja2.PackageLoader("productpage", "web")
        environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self._template = environment.get_template("productpage.html")

    def routes(self) -> list[web.RouteDef]:
        """What is served where."""
        return [
            web.get("/", self.root),
            web.get("/health", self.health),
            web.get("/productpage", self.page),
            web.post("/login", self.login),
            web.post("/logout", self.logout),
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

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page of one book, `?id=` or the first; parts that failed say so."""
        product = _product(request.query.get("id", str(logic.FRONT_PAGE)))
        parts = await self._backends.parts(product.id)
        html = self._template.render(
            product=product,
            products=logic.CATALOGUE.values(),
            user=request[USER],
            lane=current().lane_name,
            details=parts.details,
            reviews=parts.reviews,
            failed=lambda part: isinstance(part, Failure),
            facts=logic.facts,
            line=logic.hop_line,
            own=logic.hop_line(self._identity.hop()),
        )
        return web.Response(text=html, content_type="text/html", headers=_PAGE_HEADERS)

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Sign in as `username` of the form, any name that is fit to be one."""
        try:
            name = (await request.post()).get("username")
        except _FORM_FAULTS:  # no boundary, an unknown charset, a broken part
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", "the form cannot be read") from None
        user = name.strip() if isinstance(name, str) else ""
        if fault := session.user_fault(user):
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", fault)
        response = web.HTTPSeeOther("/productpage")
        sealed = session.seal(user, self._secret)
        response.set_cookie(session.COOKIE, sealed, path="/", httponly=True, samesite="Lax")
        raise response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Sign out."""
        response = web.HTTPSeeOther("/productpage")
        response.del_cookie(session.COOKIE, path="/", httponly=True, samesite="Lax")
        raise response

    async def products(self, request: web.Request) -> web.StreamResponse:
        """The catalogue."""
        return web.json_response([logic.product_json(product) for product in logic.CATALOGUE.values()])

    async def product(self, request: web.Request) -> web.StreamResponse:
        """A book with details and reviews (or the `error` of each), and `hops`: who served it.

        The status is 200 as long as either could be had, otherwise that of the details' failure.
        """
        product = _product(request.match_info["id"])
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
        product = _product(request.match_info["id"])
        answer = await self._backends.reviews(product.id)
        if isinstance(answer, Failure):
            return self._failed(product.id, answer)
        return self._json({"id": product.id, **logic.reviews_json(answer)}, [answer.hop])

    async def ratings(self, request: web.Request) -> web.StreamResponse:
        """The ratings of a book."""
        product = _product(request.match_info["id"])
        answer = await self._backends.ratings(product.id)
        if isinstance(answer, Failure):
            return self._failed(product.id, answer)
        return self._json({"id": product.id, **logic.ratings_json(answer)}, [answer.hop])

    async def delivery(self, request: web.Request) -> web.StreamResponse:
        """When a book would arrive: asked of a service that speaks HTTP."""
        product = _product(request.match_info["id"])
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


def _product(text: str) -> logic.Product:
    """The book of this id, or the refusal that answers the request."""
    product_id = product_id_of(text)
    if product_id is None:
        reason = f"the id of a product is a number of at most nine digits, not {text[:40]!r}"
        raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", reason)
    product = logic.CATALOGUE.get(product_id)
    if product is None:
        raise refusal(web.HTTPNotFound, "NOT_FOUND", f"there is no product {product_id}")
    return product
