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
        self._came = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self, address: str = "127.0.0.1:0") -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=5, handler_cancellation=True)
        await self._runner.setup()
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
        assert self._runner is not None and self._runner.server is not None
        return len(self._runner.server.connections)

    async def came(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.requests) >= count)

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
        async with self._came:
            self._came.notify_all()
        self.bodies.append(await request.read())
        other = await self.hook(request) if self.hook is not None else None
        return other or web.Response(text=self.name, headers={"x-served-by": self.name})
