"""An admin port that says what a test wants, hangs when it is told to, and counts what it is asked."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from types import TracebackType
from typing import Any

from aiohttp import web


class AdminPort:
    """Serves spans and a config dump on a port of a loopback address as an async context manager."""

    def __init__(
        self, service: str = "reviews", version: str = "v1", dump: Any = None, ip: str = "127.0.0.1"
    ) -> None:
        self.service, self.version, self.ip = service, version, ip
        self.lacking: dict[str, str] = {}
        self.spans: list[dict[str, Any]] = []
        self.dump = dump
        self.run = secrets.token_hex(4)
        self.asked: Counter[str] = Counter()
        self._news = asyncio.Event()
        self.since: list[int] = []
        self.hosts: set[str] = set()
        self.answers = asyncio.Event()
        self.answers.set()
        self.raw: dict[str, web.Response] = {}
        """What is answered on a path instead, once."""
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"{self.ip}:{self.port}"

    def ended(self, *names: str) -> None:
        """Let spans of these names end."""
        for name in names:
            self.spans.append(
                {
                    "trace_id": name,
                    "span_id": f"{name}-{self.run}",
                    "parent_span_id": None,
                    "name": name,
                    "kind": "SERVER",
                    "start": 1.0,
                    "duration_ms": 1.0,
                    "status": {"code": "UNSET", "description": None},
                    "attributes": {"http.method": "GET", "http.status_code": 200},
                    "events": [],
                }
            )

    async def until_asked(self, path: str, times: int) -> None:
        """Wait until it was asked so many times more."""
        wanted = self.asked[path] + times
        while self.asked[path] < wanted:
            self._news.clear()
            await self._news.wait()

    def restart(self) -> None:
        """Another process takes its place, which counts from 0."""
        self.run, self.spans = secrets.token_hex(4), []

    async def __aenter__(self) -> AdminPort:
        app = web.Application()
        app.add_routes([web.get("/{path:.*}", self._answer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.ip, self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        if self._runner is not None:
            self.answers.set()
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked[path] += 1
        self._news.set()
        self.hosts.add(request.headers["Host"])
        await self.answers.wait()
        if path in self.raw:
            return self.raw.pop(path)
        if path == "/spans":
            since = int(request.query["since"])
            self.since.append(since)
            who = {
                "service": self.service,
                "version": self.version,
                "instance": f"{self.service}-{self.version}",
            }
            return web.json_response(
                {**who, "run": self.run, "next": len(self.spans), "spans": self.spans[since:]}
            )
        if path == "/readyz":
            ready = {"ready": not self.lacking, "lacking": self.lacking}
            return web.json_response(ready, status=503 if self.lacking else 200)
        if self.dump is None:
            return web.Response(status=404, text="calls nobody")
        if path == "/lanes":
            return web.json_response({"key": "env", "lanes": []})
        return web.json_response(self.dump)
