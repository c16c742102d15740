"""Interceptors run before routing, once a call; OpenTelemetry's among them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import proxyless
import pytest
from grpc import aio
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, aio_client_interceptors
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET
from .routing import RETRY, unavailable_first
from .test_channel_calls import EXPECTED, TO_LANE, converse


class Colour(
    aio.UnaryUnaryClientInterceptor,
    aio.UnaryStreamClientInterceptor,
    aio.StreamUnaryClientInterceptor,
    aio.StreamStreamClientInterceptor,
):
    """Adds the lane to every call, and counts."""

    def __init__(self) -> None:
        self.runs = 0

    async def _coloured(self, continuation: Any, details: Any, request: Any) -> Any:
        self.runs += 1
        metadata = aio.Metadata(*(details.metadata or ()), ("baggage", "env=dev"))
        return await continuation(details._replace(metadata=metadata), request)

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._coloured(continuation, client_call_details, request)

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._coloured(continuation, client_call_details, request)

    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._coloured(continuation, client_call_details, request_iterator)

    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._coloured(continuation, client_call_details, request_iterator)


class Answer(aio.UnaryUnaryClientInterceptor):
    """Answers without making a call."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return b"cached"


class Shout(aio.UnaryStreamClientInterceptor):
    """Replaces the responses by an iterator of its own."""

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = await continuation(client_call_details, request)

        async def louder() -> AsyncIterator[bytes]:
            async for message in call:
                yield message.upper()

        return louder()


@pytest.mark.parametrize("kind", EXPECTED)
async def test_metadata_added_is_matched(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(
        *build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [TO_LANE, build.route("v1")])
    )
    colour = Colour()
    channel = mesh.channel(TARGET, interceptors=[colour])
    assert await converse(channel, kind) == [m % b"v2" for m in EXPECTED[kind]]
    assert colour.runs == 1


async def test_they_run_once_however_often_the_call_is_tried(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Backend("v1", unavailable_first(2)) as backend:
        route = build.route("v1")
        route["route"]["retry_policy"] = RETRY
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [route]))
        colour = Colour()
        call = mesh.channel(TARGET, interceptors=[colour]).unary_unary(METHOD)(b"", timeout=20)
        assert await call == b"v1"
        assert (colour.runs, len(backend.calls)) == (1, 3)


async def test_an_answer_without_a_call(mesh: proxyless.Client) -> None:
    assert await mesh.channel(TARGET, interceptors=[Answer()]).unary_unary(METHOD)(b"") == b"cached"


async def test_responses_replaced_by_an_iterator(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    call = mesh.channel(TARGET, interceptors=[Shout()]).unary_stream("/s/UnaryStream")(b"", timeout=20)
    assert [message async for message in call] == [b"V1"] * 3


async def test_an_error_in_an_interceptor_reaches_the_caller(mesh: proxyless.Client) -> None:
    class Broken(aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(
            self, continuation: Any, client_call_details: Any, request: Any
        ) -> Any:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await mesh.channel(TARGET, interceptors=[Broken()]).unary_unary(METHOD)(b"")


async def test_something_else_is_refused(mesh: proxyless.Client) -> None:
    with pytest.raises(ValueError, match=r"is not a .* client interceptor"):
        mesh.channel(TARGET, interceptors=[object()])  # type: ignore[list-item]


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """OpenTelemetry's instrumentor, installed as a program would, with its spans at hand."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = GrpcAioInstrumentorClient()
    instrumentor.instrument(tracer_provider=provider)
    exporter.provider = provider  # type: ignore[attr-defined]
    yield exporter
    instrumentor.uninstrument()
    provider.shutdown()


async def test_one_client_span_a_call(
    spans: Any, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    # Neither the ADS stream, nor the subchannels, nor the attempts of a retried call have spans of their own.
    async with Backend("v1", unavailable_first(1)) as backend:
        route = build.route("v1")
        route["route"]["retry_policy"] = RETRY
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [route]))
        interceptors = aio_client_interceptors(tracer_provider=spans.provider)
        channel = mesh.channel(TARGET, interceptors=interceptors)
        assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
        assert len(backend.calls) == 2
    client_spans = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    assert [span.name for span in client_spans] == [METHOD]
