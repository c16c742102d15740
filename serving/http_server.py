"""An HTTP server as every HTTP service runs it, and an end without a lost request."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from lanes import propagator
from lanes.context import current_lane, current_lane_name
from serving import limits
from serving.binding import BindError, explain, host_port
from serving.settings import Settings
from telemetry.http_spans import server_middleware
from telemetry.lane_labels import KnownLanes
from telemetry.server_metrics import http_server_metrics

_log = logging.getLogger(__name__)

# Headers from outside are cut down to what the mesh carries, not refused: baggage alone may have 8192 bytes.
_MAX_HEADER = 64 * 1024
_AN_HOUR = 3630.0
_BACKLOG = 128


async def serve_http(
    settings: Settings,
    app: web.Application,
    stop: asyncio.Event,
    draining: Callable[[], None],
    *,
    on_serving: Callable[[], None] = lambda: None,
    idle: float = _AN_HOUR,
) -> None:
    """Serve, call `on_serving` and, when `stop` is set, `draining`, then answer what is in flight.

    A connection goes on which for `idle` seconds no whole request has come. The mesh's own clients keep one
    open on which nothing is said, so this is short only where others come from.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=limits.quiet_logger(),
        max_field_size=_MAX_HEADER,
        keepalive_timeout=idle,
        lingering_time=limits.LINGER,
        shutdown_timeout=settings.drain_timeout,
    )
    await runner.setup()
    try:
        await _listen(runner, settings)
        on_serving()
        address = host_port(settings.bind_ip, runner.addresses[0][1])
        _log.info("serving", extra={"event": "serving", "address": address})
        await stop.wait()
        _log.info("draining", extra={"event": "draining", "timeout_seconds": settings.drain_timeout})
        draining()
    finally:
        await runner.cleanup()
    _log.info("stopped", extra={"event": "stopped"})


def middlewares(lane: Middleware, lanes: KnownLanes) -> list[Middleware]:
    """The first of every HTTP service: the span, `lane`, which decides on the lane, then the metrics."""
    propagator.install()
    metrics = http_server_metrics(current_lane_name, lambda: lanes.label(current_lane()))
    return [server_middleware(), lane, metrics]


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.bind_ip else socket.AF_INET
    try:
        listening = socket.create_server((settings.bind_ip, settings.port), family=family)
        limits.end_what_is_not_read(listening)
        await web.SockSite(runner, listening, backlog=_BACKLOG).start()
    except OSError as error:
        raise BindError(explain(settings.bind_ip, settings.port, error)) from None
