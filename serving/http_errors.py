"""Errors of the HTTP services: JSON with a code of gRPC's and a reason."""

from __future__ import annotations

import json
import logging

from aiohttp import web
from aiohttp.typedefs import Middleware

from lanes.http import Handler

_log = logging.getLogger(__name__)


def refusal(kind: type[web.HTTPError], code: str, reason: str) -> web.HTTPError:
    """An HTTP error whose body is JSON with the reason."""
    return kind(text=json.dumps({"error": {"code": code, "reason": reason}}), content_type="application/json")


def plain_errors(service: str) -> Middleware:
    """Errors as JSON with their reason, whoever raised them; what was not foreseen is logged, not shown."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPError as error:
            if error.content_type == "application/json":
                raise
            code = {404: "NOT_FOUND", 405: "UNIMPLEMENTED"}.get(error.status, "INVALID_ARGUMENT")
            body = {"error": {"code": code, "reason": f"{request.method} {request.path}: {error.reason}"}}
            answer = web.json_response(body, status=error.status)
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer
        except web.HTTPException:
            raise
        except Exception:  # noqa: BLE001 - the last resort: a reason for the user, the traceback for the log
            _log.exception("request failed", extra={"event": "request_failed", "path": request.path})
            body = {"error": {"code": "INTERNAL", "reason": f"this request met a fault of {service} itself"}}
            return web.json_response(body, status=500)

    return middleware
