"""productpage as one aiohttp application: the door, the errors, the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from aiohttp import web

from lanes.door import CookieRule
from productpage import menu, openapi
from productpage.backends import Backends
from productpage.console import ConsoleDoor, console_middleware
from productpage.door import door_middleware
from productpage.errors import readable_errors
from productpage.page import Page
from productpage.rules import LiveDoor
from productpage.server import PageServer
from productpage.settings import PageSettings
from serving import browser
from serving.channels import Channels
from serving.http_client import HttpService
from serving.http_errors import plain_errors
from serving.http_server import middlewares
from serving.identity import Identity
from serving.lanes import LanesHeld
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
    identity = Identity.of(settings)
    server = PageServer(identity, backends)
    held = LanesHeld(channels.mesh, settings.forwarding.key)
    pages = Page(identity, backends, page.session_secret, held, page.lane_menu, bool(page.console_url))
    # What a visitor chose comes before the rules of the file, most of which speak of those who did not.
    chosen = (CookieRule(menu.COOKIE),) if page.lane_menu else ()
    live = LiveDoor(replace(page.door, rules=(*page.door.rules, *chosen)), page.door_rules)

    async def door_report(_: web.Request) -> web.Response:
        return web.json_response(live.report())

    async def document(_: web.Request) -> web.Response:
        return web.json_response(described)

    async def follow_rules(_: web.Application) -> AsyncIterator[None]:
        following = asyncio.create_task(live.follow(), name="the door's rules")
        yield
        following.cancel()
        await asyncio.wait((following,))

    door = door_middleware(live, settings.forwarding, page.session_secret)
    errors = (readable_errors(pages.error), plain_errors("productpage"))
    console = ConsoleDoor(page.console_url) if page.console_url else None
    # Looking at the mesh is no traffic of the mesh: no span, no metric, no lane.
    past = (*errors, console_middleware(console)) if console else ()
    app = web.Application(middlewares=[*past, *middlewares(door, channels.lanes), *errors])
    if console is not None:
        app.on_shutdown.append(console.end)
        app.on_cleanup.append(console.close)
    app[SERVER] = server
    told = [web.get("/health/door", door_report), web.get(openapi.PATH, document)]
    app.add_routes([*server.routes(), *pages.routes(), *told])
    described = openapi.document({resource.canonical for resource in app.router.resources()})
    app.on_response_prepare.append(browser.secure)
    app.cleanup_ctx.append(follow_rules)
    return app
