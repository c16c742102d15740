"""The page of a book for people: what it shows, signing in and out, and the choice of a lane."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import jinja2
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from lanes.context import BASE, current
from lanes.hues import colour_of, style_sheet
from lanes.spec import lane_name_fault
from productpage import logic, menu, picture, session
from productpage.backends import Backends
from productpage.chain import chain_of, in_words
from productpage.door import USER
from productpage.requests import product_of
from serving.failures import Failure, kept_from_base
from serving.http_errors import refusal
from serving.identity import Identity
from serving.lanes import LanesHeld
from serving.limits import in_time

# How aiohttp says that a body is not the form its headers announce.
_FORM_FAULTS = (
    ValueError,
    LookupError,
    AssertionError,
    RuntimeError,
    HttpProcessingError,
    web.RequestPayloadError,
)
_WEB = files("productpage") / "web"
_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HUES = "hues.css"
# Who served a page is its whole point, so it must not come from a cache.
_FRESH = {"Cache-Control": "no-store"}
_OWN_SITE = ("same-origin", "none", None)


class Page:
    """The handlers of the page.

    Visitors may choose a lane if `chooses`, and it leads to the lane console if `console`.
    """

    def __init__(
        self,
        identity: Identity,
        backends: Backends,
        secret: bytes,
        held: LanesHeld,
        chooses: bool,
        console: bool = False,
    ) -> None:
        self._identity = identity
        self._backends = backends
        self._secret = secret
        self._held = held
        self._chooses = chooses
        loader = jinja2.PackageLoader("productpage", "web")
        environment = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals |= {
            "failed": lambda part: isinstance(part, Failure),
            "facts": logic.facts,
            "kept_from_base": kept_from_base,
            "line": logic.hop_line,
            "hue": colour_of,
            "bar": picture.bar_of,
            "milliseconds": logic.milliseconds,
            "BASE": BASE,
            "console": console,
        }
        self._page = environment.get_template("productpage.html")
        self._live = environment.get_template("live.html")
        self.error = environment.get_template("error.html")
        self._static = {name: (_WEB / "static" / name).read_bytes() for name in _STATIC}
        self._static[_HUES] = style_sheet()

    def routes(self) -> list[web.RouteDef]:
        """What is served where."""
        routes = [
            web.get("/productpage", self.page),
            web.get("/productpage/live", self.live),
            web.get("/productpage/static/{name}", self.static),
            web.post("/login", self.login),
            web.post("/logout", self.logout),
        ]
        return [*routes, web.post("/lane", self.choose)] if self._chooses else routes

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page of one book, `?id=` or the first; parts that failed say so."""
        return self._html(self._page, await self._view(request))

    async def live(self, request: web.Request) -> web.StreamResponse:
        """What of the page a request decides, for the page's own script."""
        return self._html(self._live, await self._view(request))

    async def static(self, request: web.Request) -> web.StreamResponse:
        """The style sheet, the script and the icon."""
        name = request.match_info["name"]
        if name not in self._static:
            raise web.HTTPNotFound
        return web.Response(
            body=self._static[name],
            content_type=_STATIC.get(name, "text/css"),
            charset="utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Sign in as `username` of the form, any name that is fit to be one."""
        form = await _form(request)
        user = form.get("username", "").strip()
        if fault := session.user_fault(user):
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", fault)
        response = web.HTTPSeeOther(_way_back(form))
        sealed = session.seal(user, self._secret)
        response.set_cookie(session.COOKIE, sealed, path="/", httponly=True, samesite="Lax")
        raise response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Sign out."""
        response = web.HTTPSeeOther(_way_back(await _form(request)))
        response.del_cookie(session.COOKIE, path="/", httponly=True, samesite="Lax")
        raise response

    async def choose(self, request: web.Request) -> web.StreamResponse:
        """Enter the `lane` of the form, there or not; none, or base, is no choice any more."""
        form = await _form(request)
        lane = form.get("lane", "").strip()
        response = web.HTTPSeeOther(_way_back(form))
        if lane in ("", BASE):
            response.del_cookie(menu.COOKIE, path="/", httponly=True, samesite="Lax")
        elif fault := lane_name_fault(lane):
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", f"the lane name {lane[:80]!r} {fault}")
        else:
            response.set_cookie(menu.COOKIE, lane, path="/", httponly=True, samesite="Lax")
        raise response

    async def _view(self, request: web.Request) -> dict[str, Any]:
        began = time.perf_counter()
        product = product_of(request.query.get("id", str(logic.FRONT_PAGE)))
        parts = await self._backends.parts(product.id)
        took = time.perf_counter() - began
        chosen = request.cookies.get(menu.COOKIE, "") if self._chooses else ""
        # After the calls: by then the mesh has said which routes there are.
        shown = menu.menu_of(await self._held.lanes(), self._held.meshed, current().lane, chosen)
        own = self._identity.hop()
        stations = chain_of(own, parts, took, shown.held)
        return {
            "product": product,
            "products": logic.CATALOGUE.values(),
            "user": request[USER],
            "lane": current().lane_name,
            "menu": shown if self._chooses else None,
            "details": parts.details,
            "reviews": parts.reviews,
            "stations": stations,
            "map": picture.map_of(stations, current().lane_name),
            "words": in_words(stations),
            "took": took,
            "own": logic.hop_line(own),
        }

    def _html(self, template: jinja2.Template, view: Mapping[str, Any]) -> web.Response:
        return web.Response(text=template.render(view), content_type="text/html", headers=_FRESH)


async def _form(request: web.Request) -> dict[str, str]:
    """The fields of a form that a page of this site sent."""
    if request.headers.get("Sec-Fetch-Site") not in _OWN_SITE:
        raise refusal(web.HTTPForbidden, "PERMISSION_DENIED", "this form was sent by another site")
    try:
        fields = await in_time(request.post())
    except _FORM_FAULTS:  # no boundary, an unknown charset, a broken part, not packed as it says
        raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", "the form cannot be read") from None
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _way_back(form: Mapping[str, str]) -> str:
    """The page the form was on, or what its script shows of it."""
    path = "/productpage/live" if form.get("live") else "/productpage"
    product = product_of(form.get("id", str(logic.FRONT_PAGE)))
    return path if product.id == logic.FRONT_PAGE else f"{path}?{urlencode({'id': product.id})}"
