"""The HTTP handlers of what changes the mesh."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from console.acting.bodies import MAX_BYTES, READERS, Body, BodyError, parse, read
from console.acting.guard import Attempt, names_loopback, refusal
from lanes.landscape import LaneError
from lanes.spec import SpecError
from mesh.admin import ControlPlaneGone
from mesh.errors import Changed, MeshError, NotFound, NotRunning, Refused

PATIENCE = 10.0
"""Seconds in which a body has to have come."""
_FRESH = {"Cache-Control": "no-store"}


class Routes:
    """`POST /mesh/api/actions/{verb}` behind the guard, and `GET /mesh/api/objects`."""

    def __init__(
        self,
        token: str,
        act: Callable[[Body, str], Awaitable[dict[str, Any]]],
        objects: Callable[[], Awaitable[dict[str, Any]]],
    ) -> None:
        self._token = token
        self._act = act
        self._objects = objects

    def routes(self) -> list[web.RouteDef]:
        """What is served where."""
        return [
            web.post("/mesh/api/actions/{verb}", self.action),
            web.get("/mesh/api/objects", self.objects),
        ]

    async def action(self, request: web.Request) -> web.StreamResponse:
        """Do one thing to the mesh."""
        refused = refusal(_attempt(request), self._token)
        if refused is not None:
            return error(refused.status, refused.code, refused.message)
        verb = request.match_info["verb"]
        if verb not in READERS:
            return error(404, "NOT_FOUND", f"There is no verb {verb[:80]!r}; there are {', '.join(READERS)}.")
        try:
            async with asyncio.timeout(PATIENCE):
                content = await _content(request)
        except TimeoutError:
            return error(408, "DEADLINE_EXCEEDED", f"The body did not come within {PATIENCE:g} s.")
        except web.RequestPayloadError:
            return error(400, "INVALID_ARGUMENT", "The body is not packed as its headers say.")
        if content is None:
            return error(413, "INVALID_ARGUMENT", f"The body is larger than {MAX_BYTES >> 20} MiB.")
        try:
            body = read(verb, parse(content))
        except BodyError as wrong:
            return error(400, "INVALID_ARGUMENT", str(wrong))
        return await _answered(self._act(body, verb))

    async def objects(self, request: web.Request) -> web.StreamResponse:
        """Every object in force, as YAML."""
        host = request.headers.get("Host", "")
        if not names_loopback(host):
            why = f"Host {host[:80]!r} is not a loopback address or localhost."
            return error(403, "PERMISSION_DENIED", why)
        return await _answered(self._objects())


def error(status: int, code: str, message: str, details: Sequence[str] = ()) -> web.Response:
    """An error as JSON."""
    body = {"error": {"code": code, "message": message, "details": list(details)}}
    return web.json_response(body, status=status, headers=_FRESH)


async def _answered(doing: Awaitable[dict[str, Any]]) -> web.Response:
    try:
        return web.json_response(await doing, headers=_FRESH)
    except BodyError as wrong:
        return error(400, "INVALID_ARGUMENT", str(wrong))
    except SpecError as wrong:
        return error(400, "INVALID_ARGUMENT", f"{str(wrong)[:1].upper()}{str(wrong)[1:]}.")
    except LaneError as wrong:
        return error(409, "FAILED_PRECONDITION", str(wrong))
    except MeshError as wrong:
        status, code = next(found for kind, found in _STATUS if isinstance(wrong, kind))
        return error(status, code, wrong.message, wrong.details)


_STATUS: tuple[tuple[type[MeshError], tuple[int, str]], ...] = (
    (NotFound, (404, "NOT_FOUND")),
    (Refused, (422, "INVALID_ARGUMENT")),
    (Changed, (409, "ABORTED")),
    # No 5xx: it is the mesh that is not there, not this console that failed.
    (NotRunning, (409, "UNAVAILABLE")),
    (ControlPlaneGone, (409, "UNAVAILABLE")),
    (MeshError, (409, "FAILED_PRECONDITION")),
)


def _attempt(request: web.Request) -> Attempt:
    transport = request.transport
    address = transport.get_extra_info("peername") if transport is not None else None
    peer = str(address[0]) if isinstance(address, tuple) else ""
    names = {name.lower() for name in request.headers}
    return Attempt(peer, {name: tuple(request.headers.getall(name)) for name in names})


async def _content(request: web.Request) -> bytes | None:
    """The body; None where it is too large, of which no more is read than tells."""
    if (request.content_length or 0) > MAX_BYTES:
        return None
    found = bytearray()
    async for chunk in request.content.iter_chunked(64 << 10):
        found += chunk
        if len(found) > MAX_BYTES:
            return None
    return bytes(found)
