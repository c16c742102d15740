"""`python -m productpage`."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import sys
    from collections.abc import Mapping

    from productpage.app import SERVER, application
    from productpage.settings import VARIABLES, PageSettings
    from serving import command, limits
    from serving.admin import serving_admin
    from serving.channels import open_channels
    from serving.http_client import open_http
    from serving.http_server import serve_http
    from serving.settings import Settings


async def serve(settings: Settings, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Serve the page until `stop` is set, then answer what is in flight."""
    page = PageSettings.read(settings, environ)
    async with (
        open_channels(page.targets, settings.known_lanes()) as channels,
        open_http(page.delivery, channels) as delivery,
        serving_admin(settings, stop, channels) as readiness,
    ):
        app = application(settings, page, channels, delivery)
        await serve_http(
            settings, app, stop, app[SERVER].drain, on_serving=readiness.serves, idle=limits.IDLE
        )


if __name__ == "__main__":
    summary = "Serves the page of books and their JSON over HTTP, from details, reviews and ratings."
    sys.exit(command.run("productpage", summary, VARIABLES, serve))
