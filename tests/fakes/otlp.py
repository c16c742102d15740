"""An OTLP/HTTP endpoint that takes JSON, and what it was sent, as the specification of OTLP writes it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Span:
    """A span as it was received, with the attributes of its resource."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    attributes: dict[str, Any]
    resource: dict[str, Any]

    CLIENT = 3
    SERVER = 2

    @property
    def who(self) -> str:
        return f"{self.resource['service.name']} {self.resource['service.version']}"


class Collector:
    """Receives traces and metrics, as an async context manager; `url` is what goes into the environment."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._news = asyncio.Event()
        app = web.Application()
        app.router.add_post("/v1/{signal}", self._receive)
        self._server = TestServer(app, host="127.0.0.1")

    async def __aenter__(self) -> Collector:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that arrives makes `condition` true."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    async def _receive(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        raw = await request.read()
        if raw[:2] == b"\x1f\x8b":  # where aiohttp has not undone it
            raw = gzip.decompress(raw)
        body = json.loads(raw)
        self.requests.append((request.path, dict(request.headers)))
        for each in body.get("resourceSpans", []):
            resource = _attributes(each["resource"]["attributes"])
            for scope in each["scopeSpans"]:
                self.spans += [_span(span, resource) for span in scope["spans"]]
        for each in body.get("resourceMetrics", []):
            for scope in each["scopeMetrics"]:
                for metric in scope["metrics"]:
                    self.metrics.setdefault(metric["name"], []).append(metric)
        self._news.set()
        return web.json_response({})


def edges(spans: Iterable[Span]) -> set[tuple[str, str]]:
    """Who called whom: the server spans whose parent is a client span of somebody else."""
    by_id = {span.span_id: span for span in spans}
    return {
        (by_id[span.parent_id].who, span.who)
        for span in by_id.values()
        if span.kind == Span.SERVER and span.parent_id in by_id and by_id[span.parent_id].kind == Span.CLIENT
    }


def _span(span: dict[str, Any], resource: dict[str, Any]) -> Span:
    return Span(
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        name=span["name"],
        kind=span["kind"],
        attributes=_attributes(span.get("attributes", [])),
        resource=resource,
    )


def _attributes(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in pairs}
