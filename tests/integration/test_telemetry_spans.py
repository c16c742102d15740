"""What the spans of real calls say, with OpenTelemetry's own instrumentor."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import proxyless
import pytest
import pytest_asyncio
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.trace import SpanKind

from telemetry.grpc_spans import client_interceptors
from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.telemetry import KINDS, Seen, call, lane

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import RETRY, unavailable_first


@pytest_asyncio.fixture
async def mesh(control_plane: FakeControlPlane, seen: Seen) -> AsyncIterator[proxyless.Client]:
    async with proxyless.Client(bootstrap_for(control_plane), observer=seen) as client:
        yield client


def traced(mesh: proxyless.Client, seen: Seen) -> proxyless.Channel:
    return mesh.channel(TARGET, interceptors=aio_client_interceptors(tracer_provider=seen.tracers))


def named(route: dict[str, Any], name: str) -> dict[str, Any]:
    return {**route, "name": name}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_once", [True, False])
async def test_the_client_span_says_where_the_call_went(
    control_plane: FakeControlPlane,
    mesh: proxyless.Client,
    seen: Seen,
    v1: Backend,
    kind: str,
    at_once: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At once: everything is known and connected. Otherwise the call waits for its configuration.
    monkeypatch.setattr("telemetry.xds_spans._AT_ONCE", 20_000_000_000 if at_once else 0)
    resources = build.service(NAME, {"v1": [v1.address]}, [named(build.route("v1"), "base")])
    channel = traced(mesh, seen)
    tracer = seen.tracers.get_tracer("test")
    lane.set("dev")
    if at_once:
        control_plane.set(*resources)
        await channel.channel_ready()
        with tracer.start_as_current_span("around", kind=SpanKind.SERVER):
            await call(channel, kind)
    else:
        with tracer.start_as_current_span("around", kind=SpanKind.SERVER):
            waiting = asyncio.create_task(call(channel, kind))
            *others, endpoints = resources
            control_plane.set(*others)
            await control_plane.until(
                lambda: bool(control_plane.streams) and build.EDS in control_plane.streams[0].names
            )
            assert not v1.calls
            control_plane.set(endpoints)
            await waiting
    (span,) = seen.client_spans()
    where = {"xds.route": "base", "xds.cluster": "v1", "xds.endpoint": v1.address, "xds.attempt": 1}
    where["xds.lane"] = "dev"
    assert span.attributes is not None and where.items() <= span.attributes.items()
    # Of one attempt the span says it all, but for when it was where it had to wait.
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == (
        [] if at_once else [("xds.attempt", where)]
    )
    (around,) = [each for each in seen.spans.get_finished_spans() if each.name == "around"]
    assert not around.events and not around.attributes


@pytest.mark.parametrize("soon", [0, 20_000_000_000])
async def test_every_attempt_is_an_event_and_the_last_one_counts(
    control_plane: FakeControlPlane,
    mesh: proxyless.Client,
    seen: Seen,
    soon: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("telemetry.xds_spans._AT_ONCE", soon)
    async with Backend("v1", unavailable_first(1)) as backend:
        route = named(build.route("v"), "base")
        route["route"]["retry_policy"] = RETRY
        control_plane.set(*build.service(NAME, {"v": [backend.address]}, [route]))
        assert await traced(mesh, seen).unary_unary(METHOD)(b"", timeout=20) == b"v1"
    (span,) = seen.client_spans()
    keys = ("xds.attempt", "xds.endpoint", "grpc.status")
    told = [(event.name, *((event.attributes or {}).get(key) for key in keys)) for event in span.events]
    assert told == [
        ("xds.attempt", 1, backend.address, None),
        ("xds.retry", 1, None, "UNAVAILABLE"),
        ("xds.attempt", 2, backend.address, None),
    ]
    assert span.attributes is not None and span.attributes["xds.attempt"] == 2
    first, failed, second = span.events
    assert span.start_time is not None
    # Where the first is told late, it is with the time at which it was.
    assert span.start_time < first.timestamp < failed.timestamp <= second.timestamp
    assert first.attributes is not None and first.attributes["xds.cluster"] == "v"


@pytest.mark.parametrize("at_once", [True, False])
async def test_without_a_client_span_the_one_around_tells_of_each_call(
    control_plane: FakeControlPlane, mesh: proxyless.Client, seen: Seen, v1: Backend, at_once: bool
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    channel = mesh.channel(TARGET)
    if at_once:
        await channel.channel_ready()
    with seen.tracers.get_tracer("test").start_as_current_span("around", kind=SpanKind.SERVER):
        await call(channel, "UnaryUnary")
        await call(channel, "UnaryStream")
    (around,) = seen.spans.get_finished_spans()
    told = [dict(event.attributes or {}) for event in around.events]
    assert [(each["rpc.method"], each["xds.target"], each["xds.route"]) for each in told] == [
        ("/test.Service/UnaryUnary", TARGET, "#0"),
        ("/test.Service/UnaryStream", TARGET, "#0"),
    ]
    assert not around.attributes and "xds.lane" not in told[0]


async def test_the_observer_of_the_readme(
    control_plane: FakeControlPlane, seen: Seen, v1: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (Path(proxyless.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = (
        block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "Observer" in block
    )
    monkeypatch.setattr("opentelemetry.metrics.get_meter", seen.provider.get_meter)
    written: dict[str, Any] = {}
    exec(code, written)
    monkeypatch.setenv("XDS_ADDRESS", control_plane.address)
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [named(build.route("v1"), "base")]))
    over = asyncio.Event()
    ended = written["Seen"].call_ended

    def call_ended(self: Any, *told: Any) -> None:
        ended(self, *told)
        over.set()

    monkeypatch.setattr(written["Seen"], "call_ended", call_ended)
    async with await written["client"]() as mesh:
        await call(traced(mesh, seen), "UnaryUnary")
        await over.wait()
    (span,) = seen.client_spans()
    where = {"xds.route": "base", "xds.cluster": "v1", "xds.endpoint": v1.address, "xds.attempt": 1}
    assert span.attributes is not None and where.items() <= span.attributes.items()
    (point,) = seen.metric("grpc.client.call.duration")
    assert dict(point) == {"grpc.target": TARGET, "grpc.method": METHOD[1:], "grpc.status": "OK"}


@pytest.fixture
def interceptors(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> list[grpc.aio.ClientInterceptor]:
    """Those of the services."""
    monkeypatch.setattr("telemetry.grpc_spans.trace.get_tracer", seen.tracers.get_tracer)
    return client_interceptors()


@pytest.mark.parametrize("kind", ["UnaryUnary", "StreamUnary"])
async def test_the_span_of_a_call_that_is_cancelled_ends(
    control_plane: FakeControlPlane,
    mesh: proxyless.Client,
    seen: Seen,
    interceptors: list[grpc.aio.ClientInterceptor],
    kind: str,
) -> None:
    there = asyncio.Event()

    async def never(context: Any) -> None:
        there.set()
        await asyncio.Event().wait()

    async with Backend("v1", never) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        waiting = asyncio.create_task(call(mesh.channel(TARGET, interceptors=interceptors), kind))
        await there.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
    (span,) = seen.client_spans()
    assert span.status.status_code.name == "ERROR"
    assert "CancelledError" in (span.status.description or "")


@pytest.mark.parametrize("kind", ["UnaryUnary", "StreamUnary"])
async def test_the_span_of_a_call_that_fails_has_its_code(
    control_plane: FakeControlPlane,
    mesh: proxyless.Client,
    seen: Seen,
    interceptors: list[grpc.aio.ClientInterceptor],
    kind: str,
) -> None:
    control_plane.set(*build.service(NAME, {"v1": []}, [build.route("v1")]))
    with pytest.raises(grpc.aio.AioRpcError):
        await call(mesh.channel(TARGET, interceptors=interceptors), kind)
    (span,) = seen.client_spans()
    assert span.status.status_code.name == "ERROR"
    assert span.attributes is not None and span.attributes["rpc.grpc.status_code"] == 14
