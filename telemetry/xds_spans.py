"""What the spans of calls say of their routing.

A call's interceptors run before it is routed, in the context in which it is routed. So where one of them
makes a client span, as OpenTelemetry's instrumentor does, that is the current span when proxyless tells of
an attempt, at once or later, and it is open until the last attempt has ended. Of an HTTP request that is the
span of a middleware of its session, or of OpenTelemetry's instrumentor of aiohttp.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from proxyless import Attempt

from telemetry.http_attributes import is_http, of_end, of_request

ATTEMPT = "xds.attempt"
RETRY = "xds.retry"


def routed(attempt: Attempt, lane: str | None) -> None:
    """Add an event for the attempt, and say where it goes on the call's own span: the last one counts.

    Without a client span the event stands on the span around the call, which may have made others.
    """
    span = trace.get_current_span()
    if not span.is_recording():
        return
    said: dict[str, str | int] = {
        "xds.route": attempt.route,
        "xds.cluster": attempt.cluster,
        "xds.endpoint": attempt.endpoint,
        "xds.attempt": attempt.number,
    }
    if lane is not None:
        said["xds.lane"] = lane
    if _of_one_call(span):
        span.set_attributes(said)
        span.add_event(ATTEMPT, said)
    else:
        method = attempt.method
        asked = of_request(attempt.target, method) if is_http(method) else {"rpc.method": method}
        span.add_event(ATTEMPT, {**said, "xds.target": attempt.target, **asked})


def retried(attempt: Attempt, code: str) -> None:
    """Add an event that says how the attempt failed."""
    span = trace.get_current_span()
    if span.is_recording():
        failed = of_end(code) if is_http(attempt.method) else {"grpc.status": code}
        span.add_event(RETRY, {"xds.attempt": attempt.number, **failed})


def _of_one_call(span: Span) -> bool:
    return getattr(span, "kind", None) is SpanKind.CLIENT
