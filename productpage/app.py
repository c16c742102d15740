"""productpage as one aiohttp application: the door, the errors, the routes."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from aiohttp import web

from productpage.backends import Backends
from productpage.door import door_middleware
from productpage.server import PageServer, plain_errors
from productpage.settings import PageSettings
from serving.identity import Identity
from serving.settings import Settings

SERVER = web.AppKey("server", PageServer)


def application(
    settings: Settings, page: PageSettings, channels: Mapping[str, grpc.aio.Channel]
) -> web.Application:
    """The application over these channels, named as in `DEPENDENCIES`."""
    server = PageServer(Identity.of(settings), Backends(channels, page.call_timeout), page.session_secret)
    door = door_middleware(page.door, settings.forwarding, page.session_secret)
    app = web.Application(middlewares=[door, plain_errors])
    app[SERVER] = server
    app.add_routes(server.routes())
    return app
