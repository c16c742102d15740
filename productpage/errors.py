"""Errors for people: where a browser asks for a page, the reason comes as one and not as JSON."""

from __future__ import annotations

import json

import jinja2
from aiohttp import web
from aiohttp.typedefs import Middleware

from lanes.http import Handler

_MACHINES = ("/api/", "/health")


def readable_errors(template: jinja2.Template) -> Middleware:
    """Around `plain_errors`, whose JSON it reads."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = await handler(request)
        except web.HTTPError as error:
            if (page := _page(request, error, template)) is None:
                raise
            return page
        return _page(request, answer, template) or answer

    return middleware


def _page(request: web.Request, answer: web.StreamResponse, template: jinja2.Template) -> web.Response | None:
    wanted = "text/html" in request.headers.get("Accept", "") and not request.path.startswith(_MACHINES)
    if answer.status < 400 or not wanted or not isinstance(answer, web.Response) or not answer.text:
        return None
    error = json.loads(answer.text)["error"]
    text = template.render(status=answer.status, code=error["code"], reason=error["reason"])
    allow = {"Allow": answer.headers["Allow"]} if "Allow" in answer.headers else {}
    headers = {"Cache-Control": "no-store", **allow}
    return web.Response(text=text, status=answer.status, content_type="text/html", headers=headers)
