"""A service's observer with OpenTelemetry's own SDK behind it, and tests that wait for its news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import grpc
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from proxyless import Attempt

from telemetry.observer import XdsTelemetry

KINDS = ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"]
lane: ContextVar[str | None] = ContextVar("lane", default=None)


class Seen(XdsTelemetry):
    """What services have, its metrics and spans at hand."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self.reader])
        self.tracers = TracerProvider()
        self.spans = InMemorySpanExporter()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.ended = 0
        self._news = asyncio.Event()
        super().__init__(lane.get, self.provider)

    def call_ended(self, target: str, method: str, code: str, seconds: float, attempts: int) -> None:
        super().call_ended(target, method, code, seconds, attempts)
        self.ended += 1
        self._news.set()

    def attempt_ended(self, attempt: Attempt, code: str, seconds: float) -> None:
        super().attempt_ended(attempt, code, seconds)
        self._news.set()

    def connection_lost(self, target: str, endpoint: str) -> None:
        super().connection_lost(target, endpoint)
        self._news.set()

    def connection_failed(self, target: str, endpoint: str, reason: str) -> None:
        super().connection_failed(target, endpoint, reason)
        self._news.set()

    def stream_failed(self, server: str, error: str) -> None:
        super().stream_failed(server, error)
        self._news.set()

    def stream_connected(self, server: str) -> None:
        super().stream_connected(server)
        self._news.set()

    async def until(self, name: str, wanted: Any) -> None:
        """Wait until a metric has these points."""
        await self._until(lambda: self.metric(name) == wanted)

    async def until_there(self, name: str) -> None:
        """Wait until a metric has any points."""
        await self._until(lambda: bool(self.metric(name)))

    async def calls_ended(self, number: int) -> None:
        """Wait until so many calls have been told to be over."""
        await self._until(lambda: self.ended >= number)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()

    def metric(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """The points of a metric by their attributes; of a histogram, how many were recorded."""
        return {
            tuple(sorted(dict(point.attributes or {}).items())): getattr(point, "value", None)
            if hasattr(point, "value")
            else point.count
            for metric in self.metrics()
            if metric.name == name
            for point in metric.data.data_points
        }

    def units(self) -> dict[str, str]:
        return {metric.name: metric.unit for metric in self.metrics()}

    def metrics(self) -> list[Any]:
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        return [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]

    def client_spans(self) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.kind is SpanKind.CLIENT]


async def call(channel: grpc.aio.Channel, kind: str) -> None:
    """Make a call of a kind and take in all of its answer."""

    async def requests() -> AsyncIterator[bytes]:
        yield b"one"

    path = f"/test.Service/{kind}"
    if kind == "UnaryUnary":
        await channel.unary_unary(path)(b"", timeout=20)
    elif kind == "UnaryStream":
        assert [message async for message in channel.unary_stream(path)(b"", timeout=20)]
    elif kind == "StreamUnary":
        await channel.stream_unary(path)(requests(), timeout=20)
    else:
        assert [message async for message in channel.stream_stream(path)(requests(), timeout=20)]
