"""Every request's way in: who is signed in, which lane it gets, what it takes along."""

from __future__ import annotations

import logging
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from lanes.context import END_USER, REQUEST_ID, Forwarding, use
from lanes.door import Door, Visitor, admit
from productpage.session import COOKIE, header_value, unseal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

USER: web.RequestKey[str | None] = web.RequestKey("user", str)

_log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def door_middleware(door: Door, forwarding: Forwarding, secret: bytes) -> Middleware:
    """Colours requests, gives each an id (kept when it came with one), and logs how it was answered."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        user = unseal(request.cookies.get(COOKIE, ""), secret)
        request[USER] = user
        request_id = _request_id(request)
        added = {REQUEST_ID: request_id} | ({END_USER: header_value(user)} if user else {})
        visitor = Visitor(
            headers={key.lower(): value for key, value in request.headers.items()},
            cookies=request.cookies,
            user=user,
            draw=random.random(),
        )
        admission = admit(door, visitor, list(request.headers.items()), forwarding, added)
        with use(admission.carried):
            if admission.refusal:
                _log.warning("not coloured: %s", admission.refusal, extra={"event": "lane_refused"})
            started = time.perf_counter()
            status = 500
            try:
                response = await handler(request)
                status = response.status
            except web.HTTPException as answer:
                status = answer.status
                answer.headers[REQUEST_ID] = request_id
                raise
            finally:
                _log_request(request, status, time.perf_counter() - started)
            response.headers[REQUEST_ID] = request_id
            return response

    return middleware


def _request_id(request: web.Request) -> str:
    given = request.headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def _log_request(request: web.Request, status: int, seconds: float) -> None:
    if request.path == "/health":
        return
    fields = {
        "event": "request",
        "method": request.method,
        "path": request.path,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
    }
    _log.info("%s %s %d", request.method, request.path, status, extra=fields)
