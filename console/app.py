"""The console as one aiohttp application, and where it listens."""

from __future__ import annotations

import asyncio
import errno
from contextlib import AsyncExitStack
from types import TracebackType

from aiohttp import web
from aiohttp.typedefs import Handler

from console.acting.acting import Acting
from console.acting.guard import names_loopback
from console.page import Page
from console.reading.peers import Cluster, Machine, Source
from console.reading.reading import Reading
from console.settings import SettingError, Settings
from mesh.lane_store import MeshStore
from mesh.remote import Remote
from mesh.state import StateFolder
from serving import browser
from serving.http_errors import plain_errors, refusal
from serving.strangers import quiet_logger

LOOPBACK = "127.0.0.1"
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
            reading = await stack.enter_async_context(
                Reading(_source(self._settings), why_not=self._settings.why_read_only)
            )
            acting = None if self._settings.why_read_only else await self._acting(reading, stack)
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

    async def _acting(self, reading: Reading, stack: AsyncExitStack) -> Acting:
        state = StateFolder(self._settings.state)
        remote = await stack.enter_async_context(Remote(state))
        store = await stack.enter_async_context(MeshStore(state))

        def publish(actions: dict[str, object]) -> None:
            reading.feed.publish("actions", actions)
            reading.tell_traffic(acting.traffic)

        acting = Acting(remote, store, publish, lambda: reading.feed.watchers > 0)
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
    app.add_routes([*page.routes(), *reading.routes(), *(acting.routes() if acting is not None else ())])
    app.on_response_prepare.append(browser.secure)

    async def end_events(_: web.Application) -> None:
        reading.close()

    app.on_shutdown.append(end_events)
    return app


def _source(settings: Settings) -> Source:
    if settings.peers:
        return Cluster([(peer.host, peer.port) for peer in settings.peers])
    return Machine(StateFolder(settings.state))


@web.middleware
async def _same_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what comes under another's name: a page from elsewhere may have had its own name lead here."""
    host = request.headers.get("Host", "")
    if not names_loopback(host):
        reason = f"Host {host[:80]!r} is not a loopback address or localhost"
        raise refusal(web.HTTPForbidden, "PERMISSION_DENIED", reason)
    return await handler(request)
