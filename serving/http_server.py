"""An HTTP server as every HTTP service runs it, and an end without a lost request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from serving.binding import BindError, explain, host_port
from serving.settings import Settings

_log = logging.getLogger(__name__)

# Headers from outside are cut down to what the mesh carries, not refused: baggage alone may have 8192 bytes.
_MAX_HEADER = 64 * 1024


async def serve_http(
    settings: Settings, app: web.Application, stop: asyncio.Event, draining: Callable[[], None]
) -> None:
    """Serve until `stop` is set, call `draining`, then answer what is in flight."""
    runner = web.AppRunner(
        app, access_log=None, max_field_size=_MAX_HEADER, shutdown_timeout=settings.drain_timeout
    )
    await runner.setup()
    try:
        await _listen(web.TCPSite(runner, settings.bind_ip, settings.port), settings)
        address = host_port(settings.bind_ip, runner.addresses[0][1])
        _log.info("serving", extra={"event": "serving", "address": address})
        await stop.wait()
        _log.info("draining", extra={"event": "draining", "timeout_seconds": settings.drain_timeout})
        draining()
    finally:
        await runner.cleanup()
    _log.info("stopped", extra={"event": "stopped"})


async def _listen(site: web.TCPSite, settings: Settings) -> None:
    try:
        await site.start()
    except OSError as error:
        raise BindError(explain(settings.bind_ip, settings.port, error)) from None
