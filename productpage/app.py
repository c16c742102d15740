"""productpage as one aiohttp application: the door, the errors, the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from productpage.backends import Backends
from productpage.door import door_middleware
from productpage.rules import LiveDoor
from productpage.server import PageServer
from productpage.settings import PageSettings
from serving.channels import Channels
from serving.http_client import HttpService
from serving.http_server import middlewares
from serving.identity import Identity
from serving.settings import Settings

SERVER = web.AppKey("server", PageServer)


def application(
    settings: Settings,
    page: PageSettings,
    channels: Channels,
    delivery: HttpService,
) -> web.Application:
    """The application over these channels, named as in `DEPENDENCIES`, and delivery, which speaks HTTP."""
    backends = Backends(channels, delivery, page.call_timeout)
    server = PageServer(Identity.of(settings), backends, page.session_secret)
    live = LiveDoor(page.door, page.door_rules)

    async def door_report(_: web.Request) -> web.Response:
        return web.json_response(live.report())

    async def follow_rules(_: web.Application) -> AsyncIterator[None]:
        following = asyncio.create_task(live.follow(), name="the door's rules")
        yield
        following.cancel()
        await asyncio.wait((following,))

    door = door_middleware(live, settings.forwarding, page.session_secret)
    app = web.Application(middlewares=middlewares(door, channels.lanes, "productpage"))
    app[SERVER] = server
    app.add_routes([*server.routes(), web.get("/health/door", door_report)])
    app.cleanup_ctx.append(follow_rules)
    return app
