"""The console as one aiohttp application, and where it listens."""

from __future__ import annotations

import errno
import ipaddress
from types import TracebackType
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from console.page import Page
from console.settings import SettingError, Settings
from serving import browser
from serving.http_errors import plain_errors, refusal

LOOPBACK = "127.0.0.1"
# Whoever looks has a stream of events open; a server that ends need not wait for those.
_GRACE = 2.0


class ConsoleServer:
    """The console as an async context manager; it serves when it is entered. Raises SettingError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runner = web.AppRunner(application(settings), access_log=None, shutdown_timeout=_GRACE)
        self.port = settings.port

    @property
    def url(self) -> str:
        """The page."""
        return f"http://{LOOPBACK}:{self.port}/mesh"

    async def __aenter__(self) -> ConsoleServer:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, LOOPBACK, self._settings.port).start()
        except OSError as error:
            await self._runner.cleanup()
            taken = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise SettingError(f"Port {self._settings.port} {taken}; choose another with --port.") from None
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()


def application(settings: Settings) -> web.Application:
    """The rooms of the console, behind the same door."""
    page = Page(settings)
    app = web.Application(middlewares=[plain_errors("the console"), _same_machine], client_max_size=1 << 20)
    app.add_routes(page.routes())
    app.on_response_prepare.append(browser.secure)
    return app


@web.middleware
async def _same_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what comes under another's name: a page from elsewhere may have had its own name lead here."""
    host = request.headers.get("Host", "")
    if not _leads_here(host):
        reason = f"Host {host!r} is not a loopback address or localhost"
        raise refusal(web.HTTPForbidden, "PERMISSION_DENIED", reason)
    return await handler(request)


def _leads_here(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
        return name == "localhost" or ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return False
