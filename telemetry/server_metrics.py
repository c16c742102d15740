"""How long servers take to answer, by lane: gRFC A66's metric for gRPC, OpenTelemetry's for HTTP."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry import metrics, trace

from telemetry.grpc_spans import TRACED
from telemetry.xds_metrics import LANE, LATENCIES

Lane = Callable[[], str]
Ended = Callable[[str, str, float], None]

_FIELDS = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}


class GrpcServerMetrics(grpc.aio.ServerInterceptor):
    """Records `grpc.server.call.duration` of each call that has a handler; `label` is asked in the call.

    `ended` is told there, too, of method, status and seconds.
    """

    def __init__(self, label: Lane, ended: Ended = lambda method, status, seconds: None) -> None:
        self._label = label
        self._ended = ended
        self._durations = metrics.get_meter("proxyless-bookinfo").create_histogram(
            "grpc.server.call.duration",
            "s",
            "End-to-end time of a call from the server's side.",
            explicit_bucket_boundaries_advisory=LATENCIES,
        )

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of the call."""
        handler = await continuation(handler_call_details)
        if handler is None or not TRACED(handler_call_details):
            return handler
        field = _FIELDS[handler.request_streaming, handler.response_streaming]
        wrap = self._stream if handler.response_streaming else self._unary
        method = handler_call_details.method.removeprefix("/")
        return handler._replace(**{field: wrap(getattr(handler, field), method)})

    def _unary(self, behaviour: Any, method: str) -> Any:
        async def timed(request: Any, context: Any) -> Any:
            started, failed = time.perf_counter(), True
            try:
                answer = await behaviour(request, context)
                failed = False
                return answer
            finally:
                self._record(method, context, failed, started)

        return timed

    def _stream(self, behaviour: Any, method: str) -> Any:
        async def timed(request: Any, context: Any) -> AsyncIterator[Any]:
            started, failed = time.perf_counter(), True
            try:
                async for message in behaviour(request, context):
                    yield message
                failed = False
            finally:
                self._record(method, context, failed, started)

        return timed

    def _record(self, method: str, context: Any, failed: bool, started: float) -> None:
        status, seconds = _status(context, failed), time.perf_counter() - started
        self._durations.record(seconds, {"grpc.method": method, "grpc.status": status, LANE: self._label()})
        self._ended(method, status, seconds)


def _status(context: Any, failed: bool) -> str:
    """The code's name; a handler that raised or was cancelled without setting any ended with one of these."""
    code = context.code()
    if not isinstance(code, grpc.StatusCode):
        code = next((each for each in grpc.StatusCode if each.value[0] == code), grpc.StatusCode.OK)
    if failed and code is grpc.StatusCode.OK:
        code = grpc.StatusCode.CANCELLED if context.cancelled() else grpc.StatusCode.UNKNOWN
    return str(code.name)


def http_server_metrics(lane: Lane, label: Lane) -> Middleware:
    """Record `http.server.request.duration`, and put the lane on the span, which is older than it.

    A path is a label as its route is written, since callers choose paths; what has no route is not told of.
    """
    durations = metrics.get_meter("proxyless-bookinfo").create_histogram(
        "http.server.request.duration",
        "s",
        "Duration of HTTP server requests.",
        explicit_bucket_boundaries_advisory=LATENCIES,
    )

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        trace.get_current_span().set_attribute(LANE, lane())
        resource = request.match_info.route.resource
        if resource is None or resource.canonical.startswith("/health"):
            return await handler(request)
        started, status = time.perf_counter(), 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as answer:
            status = answer.status
            raise
        finally:
            attributes: dict[str, str | int] = {
                "http.request.method": request.method,
                "http.response.status_code": status,
                "http.route": resource.canonical,
                LANE: label(),
            }
            durations.record(time.perf_counter() - started, attributes)

    return middleware
