"""Real aiohttp servers that say who they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

Hook = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


class HttpBackend:
    """A server on 127.0.0.1 that takes every path and answers with its name, what it saw in its headers.

    `hook`, if given, is awaited before each answer and may give another one.
    """

    def __init__(self, name: str, hook: Hook | None = None) -> None:
        self.name = name
        self.hook = hook
        self.requests: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.address = ""
        self._news = asyncio.Event()
        self._open: set[Any] = set()
        self._runner: web.AppRunner | None = None

    async def start(self, address: str = "127.0.0.1:0") -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=5, handler_cancellation=True)
        await self._runner.setup()
        self._watch_connections()
        host, _, port = address.rpartition(":")
        await web.TCPSite(self._runner, host, int(port)).start()
        self.address = f"{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    @property
    def connections(self) -> int:
        """How many are open, the one that is kept to see whether it is there included."""
        return len(self._open)

    async def came(self, count: int) -> None:
        """Wait until so many requests have come."""
        await self.until(lambda: len(self.requests) >= count)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a request or a connection that comes or goes makes `condition` true."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def _watch_connections(self) -> None:
        assert self._runner is not None
        server: Any = self._runner.server
        made, lost = server.connection_made, server.connection_lost

        def on_made(handler: Any, transport: Any) -> None:
            made(handler, transport)
            self._open.add(handler)
            self._news.set()

        def on_lost(handler: Any, exc: BaseException | None = None) -> None:
            lost(handler, exc)
            self._open.discard(handler)
            self._news.set()

        server.connection_made, server.connection_lost = on_made, on_lost

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        seen = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append({**seen, ":method": request.method, ":path": request.raw_path})
        self._news.set()
        self.bodies.append(await request.read())
        other = await self.hook(request) if self.hook is not None else None
        return other or web.Response(text=self.name, headers={"x-served-by": self.name})
