"""`python -m productpage`."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import logging
    import sys
    from collections.abc import Mapping

    from aiohttp import web

    from productpage.app import SERVER, application
    from productpage.settings import VARIABLES, PageSettings
    from serving import command
    from serving.admin import serving_admin
    from serving.binding import BindError, explain, host_port
    from serving.channels import open_channels
    from serving.settings import Settings

_log = logging.getLogger("productpage")

# Headers from outside are cut down to what the mesh carries, not refused: baggage alone may have 8192 bytes.
_MAX_HEADER = 64 * 1024


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Serve the page until `stop` is set, then answer what is in flight."""
    page = PageSettings.read(settings, environ)
    async with open_channels(page.targets) as channels, serving_admin(settings, channels.mesh):
        app = application(settings, page, channels)
        runner = web.AppRunner(
            app, access_log=None, max_field_size=_MAX_HEADER, shutdown_timeout=settings.drain_timeout
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.bind_ip, settings.port)
            await _listen(site, settings)
            port = runner.addresses[0][1]
            address = host_port(settings.bind_ip, port)
            _log.info("serving", extra={"event": "serving", "address": address})
            await stop.wait()
            _log.info("draining", extra={"event": "draining", "timeout_seconds": settings.drain_timeout})
            app[SERVER].healthy = False
        finally:
            await runner.cleanup()
    _log.info("stopped", extra={"event": "stopped"})


async def _listen(site: web.TCPSite, settings: Settings) -> None:
    try:
        await site.start()
    except OSError as error:
        raise BindError(explain(settings.bind_ip, settings.port, error)) from None


if __name__ == "__main__":
    summary = "Serves the page of books and their JSON over HTTP, from details, reviews and ratings."
    sys.exit(command.run("productpage", summary, VARIABLES, serve))
