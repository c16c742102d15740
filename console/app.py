"""The console as one aiohttp application, and where it listens."""

from __future__ import annotations

import asyncio
import errno
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler

from console.acting.acting import Acting
from console.acting.guard import names_loopback
from console.page import Page
from console.reading.peers import Cluster, Machine, Objects, Source
from console.reading.reading import Reading
from console.reading.routes import objects_of
from console.settings import SettingError, Settings
from lanes.store import LaneStore
from mesh.lane_store import MeshStore
from mesh.remote import Remote
from mesh.state import StateFolder
from serving import browser
from serving.http_errors import plain_errors, refusal
from serving.limits import quiet_logger

if TYPE_CHECKING:
    from lanes.cluster.api import Api

LOOPBACK = "127.0.0.1"
# For so long it is waited for what lanes started in a cluster; the console starts nothing there.
_DRAIN = 30.0
# Whoever looks has a stream of events open, which ends by itself.
_GRACE = 2.0


class ConsoleServer:
    """The console as an async context manager; it serves when it is entered.

    Raises SettingError, and NotRunning where there is no mesh on this machine that it could change.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self.port = settings.port

    @property
    def url(self) -> str:
        """The page."""
        return f"http://{LOOPBACK}:{self.port}/mesh"

    async def __aenter__(self) -> ConsoleServer:
        async with AsyncExitStack() as stack:
            api = await self._api(stack)
            why_not = self._settings.why_read_only
            source = self._source(api)
            reading = await stack.enter_async_context(
                Reading(source, why_not=why_not, processes=not why_not and api is None)
            )
            acting = None if why_not else await self._acting(reading, api, stack)
            runner = web.AppRunner(
                application(reading, acting),
                access_log=None,
                logger=quiet_logger(),
                shutdown_timeout=_GRACE,
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await self._listen(runner)
            looking = asyncio.create_task(reading.run(), name="looking at the mesh")
            stack.callback(looking.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _api(self, stack: AsyncExitStack) -> Api | None:
        """The namespace whose objects are read, where it is one of a cluster."""
        place = self._settings.cluster
        if place is None:
            return None
        from lanes.cluster.connect import connected  # noqa: PLC0415 - a third of a second, and 14 MiB

        return await stack.enter_async_context(connected(place.context, place.namespace, place.kubeconfig))

    def _source(self, api: Api | None) -> Source:
        settings = self._settings
        if not settings.peers:
            return Machine(StateFolder(settings.state), settings.lane_key)
        name = settings.name or (api.namespace if api is not None else "")
        processes = Cluster([(peer.host, peer.port) for peer in settings.peers], name)
        return processes if api is None else Objects(processes, self._store(api))

    def _store(self, api: Api) -> LaneStore:
        from lanes.cluster.store import ClusterStore  # noqa: PLC0415 - as above

        return ClusterStore(api, self._settings.lane_key, _DRAIN, lambda _: None)

    async def _acting(self, reading: Reading, api: Api | None, stack: AsyncExitStack) -> Acting:
        settings = self._settings

        def publish(actions: dict[str, object]) -> None:
            reading.feed.publish("actions", actions)
            reading.tell_traffic(acting.traffic)

        def watching() -> bool:
            return reading.feed.watchers > 0

        if api is None:
            state = StateFolder(settings.state)
            remote = await stack.enter_async_context(Remote(state))
            store = await stack.enter_async_context(MeshStore(state, settings.lane_key))
            acting = Acting(remote, store, publish, watching, processes=remote, lane_key=settings.lane_key)
        else:
            from console.acting.cluster import ClusterRules  # noqa: PLC0415 - as above

            acting = Acting(
                ClusterRules(api),
                self._store(api),  # not the one that looks: each remembers what it has read last
                publish,
                watching,
                processes=None,
                namespace=api.namespace,
                door=settings.door,
                lane_key=settings.lane_key,
            )
        stack.push_async_callback(acting.close)
        return acting

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, LOOPBACK, self._settings.port).start()
        except OSError as error:
            taken = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise SettingError(f"Port {self._settings.port} {taken}; choose another with --port.") from None
        self.port = runner.addresses[0][1]


def application(reading: Reading, acting: Acting | None) -> web.Application:
    """The rooms of the console behind one door; without `acting` nothing can be changed."""
    page = Page(reading, acting.token if acting is not None else "")
    app = web.Application(middlewares=[plain_errors("the console"), _same_machine])
    objects = acting.routes() if acting is not None else objects_of(reading)
    app.add_routes([*page.routes(), *reading.routes(), *objects])
    app.on_response_prepare.append(browser.secure)

    async def end_events(_: web.Application) -> None:
        reading.close()

    app.on_shutdown.append(end_events)
    return app


@web.middleware
async def _same_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what comes under another's name: a page from elsewhere may have had its own name lead here."""
    host = request.headers.get("Host", "")
    if not names_loopback(host):
        reason = f"Host {host[:80]!r} is not a loopback address or localhost"
        raise refusal(web.HTTPForbidden, "PERMISSION_DENIED", reason)
    return await handler(request)
