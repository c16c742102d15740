"""The admin port of a service: what this process knows, for whoever is on its machine or in its Pod."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import proxyless
from aiohttp import web

from serving.binding import BindError, explain, host_port
from serving.settings import Settings

_log = logging.getLogger(__name__)


def application(settings: Settings, mesh: proxyless.Client | None) -> web.Application:
    """What is shown, and where."""

    async def config_dump(request: web.Request) -> web.Response:
        if mesh is None:
            reason = f"{settings.service} {settings.version} calls nobody through the mesh and holds nothing"
            return web.Response(status=404, text=reason)
        return web.json_response(mesh.config_dump())

    app = web.Application()
    app.router.add_get("/config_dump", config_dump)
    return app


@asynccontextmanager
async def serving_admin(settings: Settings, mesh: proxyless.Client | None = None) -> AsyncIterator[None]:
    """Serve the admin port, where the settings ask for one; BindError says why it cannot be."""
    if not settings.admin_port:
        yield
        return
    runner = web.AppRunner(application(settings, mesh), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.admin_ip, settings.admin_port).start()
        except OSError as error:
            raise BindError(explain(settings.admin_ip, settings.admin_port, error)) from None
        address = host_port(settings.admin_ip, settings.admin_port)
        _log.info("admin port", extra={"event": "admin", "address": address})
        yield
    finally:
        await runner.cleanup()
