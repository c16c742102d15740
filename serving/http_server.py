"""An HTTP server as every HTTP service runs it, and an end without a lost request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from lanes import propagator
from lanes.context import current, current_lane
from serving.binding import BindError, explain, host_port
from serving.settings import Settings
from telemetry.http_spans import server_middleware
from telemetry.lane_labels import KnownLanes
from telemetry.server_metrics import http_server_metrics

_log = logging.getLogger(__name__)

# Headers from outside are cut down to what the mesh carries, not refused: baggage alone may have 8192 bytes.
_MAX_HEADER = 64 * 1024


async def serve_http(
    settings: Settings,
    app: web.Application,
    stop: asyncio.Event,
    draining: Callable[[], None],
    *,
    on_serving: Callable[[], None] = lambda: None,
) -> None:
    """Serve, call `on_serving` and, when `stop` is set, `draining`, then answer what is in flight."""
    runner = web.AppRunner(
        app, access_log=None, max_field_size=_MAX_HEADER, shutdown_timeout=settings.drain_timeout
    )
    await runner.setup()
    try:
        await _listen(web.TCPSite(runner, settings.bind_ip, settings.port), settings)
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
    metrics = http_server_metrics(lambda: current().lane_name, lambda: lanes.label(current_lane()))
    return [server_middleware(), lane, metrics]


async def _listen(site: web.TCPSite, settings: Settings) -> None:
    try:
        await site.start()
    except OSError as error:
        raise BindError(explain(settings.bind_ip, settings.port, error)) from None
