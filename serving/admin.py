"""The admin port of a service: what this process knows, for its Pod and, less of it, for others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import proxyless
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from proxyless.errors import TargetError, UnknownRouteError

from serving import admin_requests as asked
from serving.binding import BindError, explain, host_port
from serving.channels import Channels
from serving.http_errors import plain_errors, refusal
from serving.limits import IDLE, in_time, quiet_logger
from serving.readiness import Readiness
from serving.settings import Settings
from telemetry import process
from telemetry.lane_labels import KnownLanes
from telemetry.store import to_json

_log = logging.getLogger(__name__)


class AdminServer:
    """The handlers of the admin port; a service that calls nobody through the mesh has no client of it."""

    def __init__(
        self, settings: Settings, mesh: proxyless.Client | None, lanes: KnownLanes, readiness: Readiness
    ) -> None:
        self._settings = settings
        self._mesh = mesh
        self._lanes = lanes
        self._readiness = readiness

    def routes(self) -> list[web.RouteDef]:
        """What is served where."""
        return [
            web.get("/", self.index),
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.get("/config_dump", self.config_dump),
            web.get("/explain", self.explain),
            web.get("/lanes", self.lanes),
            web.get("/spans", self.spans),
            web.get("/loglevel", self.log_level),
            web.put("/loglevel", self.set_log_level),
            web.post("/loglevel", self.set_log_level),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """Who this is, and what there is to ask."""
        own = self._settings
        paths = sorted({route.path for route in self.routes()} - {"/"})
        return _answer(
            {"service": own.service, "version": own.version, "instance": own.instance, "paths": paths}
        )

    async def healthz(self, request: web.Request) -> web.Response:
        """200 as long as the process answers at all."""
        return _answer({"status": "alive"})

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when ready; 503 with what is lacking before, and while draining."""
        lacking = self._readiness.lacking()
        return _answer({"ready": not lacking, "lacking": lacking}, status=503 if lacking else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics, as Prometheus reads them."""
        body, content_type = self._telemetry().metrics.page(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def config_dump(self, request: web.Request) -> web.Response:
        """What the client of the mesh holds."""
        if self._mesh is None:
            return web.Response(status=404, text=self._alone())  # `proxyless status` shows it as it is
        return _answer(self._mesh.config_dump())

    async def explain(self, request: web.Request) -> web.Response:
        """Where a call would go, and why."""
        mesh = self._client()
        try:
            question = asked.Explain.read(request.query)
            decision = await mesh.explain(
                question.target,
                method=question.method,
                metadata=question.metadata,
                timeout=question.timeout,
                want_route=question.want_route,
            )
        except (asked.BadRequestError, TargetError) as error:
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", str(error)) from None
        except UnknownRouteError as error:
            raise refusal(web.HTTPNotFound, "NOT_FOUND", str(error)) from None
        except TimeoutError as error:
            raise refusal(web.HTTPGatewayTimeout, "DEADLINE_EXCEEDED", str(error)) from None
        return web.Response(text=decision.to_json(), content_type="application/json", headers=_HEADERS)

    async def lanes(self, request: web.Request) -> web.Response:
        """The lanes that the routes held know, and in which routing tables each stands."""
        self._client()
        tables = self._lanes.by_table()
        names = sorted({lane for lanes in tables.values() for lane in lanes})
        lanes = [
            {"lane": lane, "route_configs": sorted(name for name, of in tables.items() if lane in of)}
            for lane in names
        ]
        return _answer({"key": self._lanes.key, "lanes": lanes, "route_configs": sorted(tables)})

    async def spans(self, request: web.Request) -> web.Response:
        """The spans that ended last; `next` is what to ask for as `since` the next time."""
        store = self._telemetry().spans
        try:
            question = asked.Spans.read(request.query)
        except asked.BadRequestError as error:
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", str(error)) from None
        found = [to_json(span) for span in store.since(question.since) if question.fits(span)]
        own = self._settings
        who = {"service": own.service, "version": own.version, "instance": own.instance}
        answer = {**who, "run": store.run, "next": store.ended, "spans": found[-question.limit :]}
        return _answer(answer)

    async def log_level(self, request: web.Request) -> web.Response:
        """The level from which log lines are written."""
        return _answer({"level": logging.getLevelName(logging.getLogger().level)})

    async def set_log_level(self, request: web.Request) -> web.Response:
        """Set it, until the process ends."""
        try:
            level = asked.level(request.query, await in_time(request.text()))
        except (asked.BadRequestError, UnicodeDecodeError, LookupError, web.RequestPayloadError) as error:
            raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", str(error)) from None
        logging.getLogger().setLevel(level)
        _log.info("log level set", extra={"event": "log_level", "set_to": level})
        return await self.log_level(request)

    def _client(self) -> proxyless.Client:
        """The client of the mesh, or the refusal where there is none."""
        if self._mesh is None:
            raise refusal(web.HTTPNotFound, "NOT_FOUND", self._alone())
        return self._mesh

    def _alone(self) -> str:
        own = self._settings
        return f"{own.service} {own.version} calls nobody through the mesh and holds nothing"

    def _telemetry(self) -> process.Telemetry:
        found = process.installed()
        if found is None:
            raise refusal(web.HTTPNotFound, "NOT_FOUND", "no telemetry is set up in this process")
        return found


def _answering(readable: bool) -> Middleware:
    """Refuses who may not ask: others than this machine, and what a page in a browser was made to ask."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        path = request.path if resource is None else resource.canonical
        asker = asked.Asker(request.method, path, request.remote, request.headers)
        if fault := asked.refused(asker, readable=readable):
            raise refusal(web.HTTPForbidden, "PERMISSION_DENIED", fault)
        return await handler(request)

    return middleware


def application(
    settings: Settings,
    mesh: proxyless.Client | None,
    lanes: KnownLanes | None = None,
    readiness: Readiness | None = None,
) -> web.Application:
    """What is shown, and where."""
    known = lanes or settings.known_lanes()
    server = AdminServer(settings, mesh, known, readiness or Readiness(asyncio.Event()))
    app = web.Application(middlewares=[plain_errors(settings.service), _answering(settings.admin_readable)])
    app.add_routes(server.routes())
    return app


@asynccontextmanager
async def serving_admin(
    settings: Settings, stop: asyncio.Event, channels: Channels | None = None
) -> AsyncIterator[Readiness]:
    """Serve the admin port, where the settings ask for one; BindError says why it cannot be.

    The service is to tell what is yielded that it listens.
    """
    readiness = Readiness(stop, channels)
    if not settings.admin_port:
        yield readiness
        return
    mesh, lanes = (channels.mesh, channels.lanes) if channels is not None else (None, None)
    app = application(settings, mesh, lanes, readiness)
    runner = web.AppRunner(app, access_log=None, logger=quiet_logger(), keepalive_timeout=IDLE)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.admin_ip, settings.admin_port).start()
        except OSError as error:
            raise BindError(explain(settings.admin_ip, settings.admin_port, error)) from None
        address = host_port(settings.admin_ip, settings.admin_port)
        _log.info("admin port", extra={"event": "admin", "address": address})
        yield readiness
    finally:
        await runner.cleanup()


_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _answer(body: Any, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers=_HEADERS)
