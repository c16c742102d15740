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
from lanes.door import Visitor, admit
from productpage.rules import LiveDoor
from productpage.session import COOKIE, header_value, seal, unseal
from serving.request_lines import log_request
from telemetry.http_spans import tell_user

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

USER: web.RequestKey[str | None] = web.RequestKey("user", str)

DRAW = "draw"

_log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def door_middleware(
    live: LiveDoor, forwarding: Forwarding, secret: bytes, chance: Callable[[], float] = random.random
) -> Middleware:
    """Colours requests, gives each an id (kept when it came with one), and logs how it was answered.

    Where a rule draws lots by `chance`, a visitor keeps what was drawn in a signed cookie, and so the lane.
    """
    draw_secret = secret + b"draw"

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        user = unseal(request.cookies.get(COOKIE, ""), secret)
        request[USER] = user
        if user is not None:
            tell_user(user)
        request_id = _request_id(request)
        added = {REQUEST_ID: request_id} | ({END_USER: header_value(user)} if user else {})
        door = live.current
        kept = _kept_draw(request.cookies.get(DRAW, ""), draw_secret) if door.draws else 0.0
        draw = chance() if kept is None else kept
        visitor = Visitor(
            headers={key.lower(): value for key, value in request.headers.items()},
            cookies=request.cookies,
            user=user,
            draw=draw,
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
                if kept is None:
                    _keep_draw(answer, draw, draw_secret)
                raise
            finally:
                log_request(request, status, time.perf_counter() - started)
            response.headers[REQUEST_ID] = request_id
            if kept is None and not response.prepared:
                _keep_draw(response, draw, draw_secret)
            return response

    return middleware


def _kept_draw(cookie: str, secret: bytes) -> float | None:
    """What was drawn for this visitor before, None if nothing was."""
    try:
        found = float(unseal(cookie, secret) or "nan")
    except ValueError:
        return None
    return found if 0 <= found < 1 else None


def _keep_draw(response: web.StreamResponse, draw: float, secret: bytes) -> None:
    response.set_cookie(DRAW, seal(repr(draw), secret), path="/", httponly=True, samesite="Lax")


def _request_id(request: web.Request) -> str:
    given = request.headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
