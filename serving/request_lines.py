"""A log line for each request a service has answered, in its lane and with the ids of its span."""

from __future__ import annotations

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

SILENT = ("/health", "/productpage/static/")
"""What is asked for by machines and not worth a line."""

_log = logging.getLogger(__name__)


def log_request(request: web.Request, status: int, seconds: float) -> None:
    """Say how an HTTP request was answered."""
    if not request.path.startswith(SILENT):
        _line(
            f"{request.method} {request.path}",
            seconds,
            method=request.method,
            path=request.path,
            status=status,
        )


def log_call(method: str, status: str, seconds: float) -> None:
    """Say how a gRPC call was answered; `method` as in metrics, without the first slash."""
    _line(f"/{method}", seconds, method=f"/{method}", status=status)


@web.middleware
async def request_lines(request: web.Request, handler: Handler) -> web.StreamResponse:
    """For an HTTP service behind the door, within the middleware that decides on the lane."""
    started, status = time.perf_counter(), 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        log_request(request, status, time.perf_counter() - started)


def _line(asked: str, seconds: float, **fields: str | int) -> None:
    if _log.isEnabledFor(logging.INFO):
        told = {"event": "request", **fields, "milliseconds": round(seconds * 1000, 1)}
        _log.info("%s %s", asked, fields["status"], extra=told)
