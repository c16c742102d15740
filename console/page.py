"""The page itself and what it is drawn with."""

from __future__ import annotations

import mimetypes
from datetime import datetime
from importlib.resources import files

import jinja2
from aiohttp import web

from console.reading.reading import Reading
from lanes.hues import style_sheet

_WEB = files("console") / "web"
_FRESH = {"Cache-Control": "no-store"}
# A new console may have another script: the browser asks each time, and is told that nothing changed.
_ASKED = {"Cache-Control": "no-cache"}


class Page:
    """The handlers of the page, which is readable without its scripts; they send `token` with a change."""

    def __init__(self, reading: Reading, token: str) -> None:
        self._reading = reading
        self._token = token
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("console", "web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["clock"] = _clock
        self._page = environment.get_template("index.html")
        self._static = {file.name: file.read_bytes() for file in (_WEB / "static").iterdir()}
        self._static["hues.css"] = style_sheet()

    def routes(self) -> list[web.RouteDef]:
        """What is served where."""
        return [web.get("/mesh", self.page), web.get("/mesh/static/{name}", self.static)]

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page as the mesh is now."""
        sections = await self._reading.snapshot()
        text = self._page.render(sections=sections, csrf_token=self._token)
        return web.Response(text=text, content_type="text/html", headers=_FRESH)

    async def static(self, request: web.Request) -> web.StreamResponse:
        """The style sheets and the scripts."""
        name = request.match_info["name"]
        if name not in self._static:
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return web.Response(body=self._static[name], content_type=kind, charset="utf-8", headers=_ASKED)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S")
