"""What is told of HTTP requests: to an observer, and by bookinfo's own to OpenTelemetry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import aiohttp
import proxyless
import proxyless.http
import pytest
import pytest_asyncio
from aiohttp import web
from opentelemetry.trace import SpanKind

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.fakes.telemetry import Seen
from tests.integration.http.conftest import NAME, URL, bootstrap_for

TARGET = f"xds:///{NAME}"
caller: ContextVar[str] = ContextVar("caller", default="")


class Notes(proxyless.Observer):
    """Keeps what it is told of requests, and by whom; tests wait for it."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._news = asyncio.Event()

    def _note(self, *said: Any) -> None:
        self.told.append((*said, caller.get()))
        self._news.set()

    def call_routed(self, attempt: proxyless.Attempt) -> None:
        self._note("routed", attempt.method, attempt.number)

    def call_retried(self, attempt: proxyless.Attempt, code: str) -> None:
        self._note("retried", attempt.number, code)

    def attempt_ended(self, attempt: proxyless.Attempt, code: str, seconds: float) -> None:
        assert 0 < seconds < 30
        self._note("attempt", attempt.number, code)

    def call_ended(self, target: str, method: str, code: str, seconds: float, attempts: int) -> None:
        assert target == TARGET and 0 < seconds < 30
        self._note("call", method, code, attempts)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()

    async def over(self) -> None:
        """Wait until a request has ended."""
        await self.until(lambda: any(each[0] == "call" for each in self.told))


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest_asyncio.fixture
async def session(control_plane: FakeControlPlane, notes: Notes) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        proxyless.Client(bootstrap_for(control_plane), observer=notes) as mesh,
        proxyless.http.session(mesh, timeout=aiohttp.ClientTimeout(total=10)) as made,
    ):
        yield made


def failing_first(times: int, status: int = 503) -> Any:
    left = [status] * times

    async def hook(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=left.pop()) if left else None

    return hook


def retrying(cluster: str = "v1") -> dict[str, Any]:
    route = build.route(cluster) | {"name": "base"}
    route["route"]["retry_policy"] = {"retry_on": "5xx", "num_retries": 2}
    return route


async def test_every_attempt_and_the_request_by_their_status(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, notes: Notes
) -> None:
    caller.set("me")
    async with HttpBackend("v1", failing_first(1)) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [retrying()]))
        async with session.get(f"{URL}/a?x=1") as response:
            assert await response.text() == "v1"
        await notes.over()
    assert notes.told == [
        ("routed", "GET /a", 1, "me"),
        ("attempt", 1, "503", "me"),
        ("retried", 1, "503", "me"),
        ("routed", "GET /a", 2, "me"),
        ("attempt", 2, "200", "me"),
        ("call", "GET /a", "200", 2, "me"),
    ]


async def test_a_request_is_over_with_its_body(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, notes: Notes
) -> None:
    more = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        await more.wait()
        await response.write(b"half")
        return response

    async with HttpBackend("v1", slowly) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        async with session.get(URL) as response:
            assert await response.content.readexactly(4) == b"half"
            assert [each[0] for each in notes.told] == ["routed"]
            more.set()
            assert await response.read() == b"half"
        await notes.over()
    assert [each[:-1] for each in notes.told[1:]] == [("attempt", 1, "200"), ("call", "GET /", "200", 1)]


async def test_a_body_that_nobody_wants_is_no_failure_and_one_broken_off_is(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, notes: Notes
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 1_000_000
        await response.prepare(request)
        await response.write(b"some")
        if request.path == "/broken":
            assert request.transport is not None
            request.transport.close()
        else:
            await asyncio.Event().wait()
        return response

    async with HttpBackend("v1", endless) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        async with session.get(URL):
            pass
        await notes.over()
        assert notes.told[-1][:-1] == ("call", "GET /", "200", 1)
        notes.told.clear()
        with pytest.raises(aiohttp.ClientPayloadError):
            async with session.get(f"{URL}/broken") as response:
                await response.read()
        await notes.over()
    name = "aiohttp.client_exceptions.ClientPayloadError"
    assert [each[:-1] for each in notes.told[1:]] == [
        ("attempt", 1, name),
        ("call", "GET /broken", name, 1),
    ]


async def test_requests_that_nobody_answers(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, notes: Notes
) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with HttpBackend("v1", silent) as backend:
        late = build.route("v1", "/late")
        late["route"]["timeout"] = "0.05s"
        hello = {"match": {"prefix": "/hello"}, "direct_response": {"status": 404}}
        control_plane.set(
            *build.service(NAME, {"v1": [backend.address], "none": []}, [late, hello, build.route("none")])
        )
        with pytest.raises(proxyless.http.RouteTimeoutError):
            await session.get(f"{URL}/late")
        with pytest.raises(proxyless.http.UnavailableError):
            await session.put(f"{URL}/nobody")
        async with session.get(f"{URL}/hello") as response:
            assert response.status == 404
    assert [each[:-1] for each in notes.told] == [
        ("routed", "GET /late", 1),
        ("attempt", 1, "proxyless.http.errors.RouteTimeoutError"),
        ("call", "GET /late", "proxyless.http.errors.RouteTimeoutError", 1),
        ("call", "PUT /nobody", "proxyless.http.errors.UnavailableError", 0),
        ("call", "GET /hello", "404", 0),
    ]


async def test_a_caller_who_gives_up(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, notes: Notes
) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with HttpBackend("v1", silent) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        asking = asyncio.create_task(session.get(URL))  # type: ignore[arg-type]
        await backend.came(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    name = "asyncio.exceptions.CancelledError"
    assert [each[:-1] for each in notes.told[1:]] == [("attempt", 1, name), ("call", "GET /", name, 1)]


# --- what bookinfo makes of it ----------------------------------------------------------------------------


async def test_metrics_are_those_of_the_conventions(control_plane: FakeControlPlane, seen: Seen) -> None:
    async with (
        HttpBackend("v1", failing_first(1)) as backend,
        proxyless.Client(bootstrap_for(control_plane), observer=seen) as mesh,
        proxyless.http.session(mesh) as session,
    ):
        gone = build.route("none", "/gone")
        control_plane.set(*build.service(NAME, {"v1": [backend.address], "none": []}, [gone, retrying()]))
        for path in ("/books/1", "/books/2"):
            async with session.get(URL + path) as response:
                assert response.status == 200
        backend.hook = failing_first(1, 418)
        async with session.request("PROPFIND", URL) as response:
            assert response.status == 418
        with pytest.raises(proxyless.http.UnavailableError):
            await session.get(f"{URL}/gone")
        there = {"server.address": "delivery", "server.port": 9080}
        got = {**there, "http.request.method": "GET", "http.response.status_code": 200}
        failed = "proxyless.http.errors.UnavailableError"
        raised = {**there, "http.request.method": "GET", "error.type": failed}
        other = {**there, "http.request.method": "_OTHER"}
        teapot = {**other, "http.response.status_code": 418, "error.type": "418"}
        assert seen.metric("http.client.request.duration") == {
            tuple(sorted(got.items())): 2,
            tuple(sorted(raised.items())): 1,
            tuple(sorted(teapot.items())): 1,
        }
    assert seen.units()["http.client.request.duration"] == "s"
    assert not [name for name in seen.units() if name.startswith("grpc.client.")]


async def test_a_middleware_s_client_span_says_where_the_request_went(
    control_plane: FakeControlPlane, seen: Seen
) -> None:
    tracer = seen.tracers.get_tracer("mine")

    async def traced(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        with tracer.start_as_current_span(request.method, kind=SpanKind.CLIENT):
            return await handler(request)

    async with (
        HttpBackend("v1", failing_first(1)) as backend,
        proxyless.Client(bootstrap_for(control_plane), observer=seen) as mesh,
    ):
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [retrying()]))
        async with (
            proxyless.http.session(mesh, middlewares=[traced]) as session,
            session.get(f"{URL}/books/1") as response,
        ):
            assert response.status == 200
        async with proxyless.http.session(mesh) as session:
            with tracer.start_as_current_span("around", kind=SpanKind.SERVER):
                await (await session.get(f"{URL}/books/1")).read()
    (span,) = seen.client_spans()
    where = {"xds.route": "base", "xds.cluster": "v1", "xds.endpoint": backend.address}
    assert span.attributes is not None and dict(span.attributes) == {**where, "xds.attempt": 2}
    told = [(event.name, dict(event.attributes or {})) for event in span.events]
    assert told == [
        ("xds.attempt", {**where, "xds.attempt": 1}),
        ("xds.retry", {"xds.attempt": 1, "http.response.status_code": 503, "error.type": "503"}),
        ("xds.attempt", {**where, "xds.attempt": 2}),
    ]
    (around,) = [each for each in seen.spans.get_finished_spans() if each.name == "around"]
    (event,) = around.events
    asked = {"http.request.method": "GET", "server.address": "delivery", "server.port": 9080}
    assert dict(event.attributes or {}) == {**where, "xds.attempt": 1, "xds.target": TARGET, **asked}
    assert not around.attributes
