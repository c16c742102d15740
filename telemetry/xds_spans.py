"""What the spans of calls say of their routing.

A call's interceptors run before it is routed, in the context in which it is routed. So where one of them
makes a client span, as OpenTelemetry's instrumentor does, that is the current span when proxyless tells of
an attempt, at once or later, and it is open until the last attempt has ended. Of an HTTP request that is the
span of a middleware of its session, or of OpenTelemetry's instrumentor of aiohttp.
"""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from proxyless import Attempt

from telemetry.http_attributes import is_http, of_end, of_request

ATTEMPT = "xds.attempt"
RETRY = "xds.retry"

_Attributes = dict[str, str | int]

_AT_ONCE = 5_000_000
"""Nanoseconds from the start of the span; a first attempt that had to wait for longer is an event."""

# When the first attempt of a call started, in nanoseconds since 1970, as spans count, while no event says so.
_started: WeakKeyDictionary[Span, int] = WeakKeyDictionary()


def routed(attempt: Attempt, lane: str | None) -> None:
    """Say on the call's own span where the attempt goes: the last one counts; and add an event for each.

    There is none for a first attempt that starts with the span, which says it all, unless a second follows.
    Without a client span the event stands on the span around the call, which may have made others.
    """
    span = trace.get_current_span()
    if not span.is_recording():
        return
    said = _said(attempt, lane)
    if _of_one_call(span):
        span.set_attributes(said)
        now = time.time_ns()
        if attempt.number == 1 and now - (getattr(span, "start_time", None) or 0) < _AT_ONCE:
            _started[span] = now
        else:
            span.add_event(ATTEMPT, said, timestamp=now)
    else:
        method = attempt.method
        asked = of_request(attempt.target, method) if is_http(method) else {"rpc.method": method}
        span.add_event(ATTEMPT, {**said, "xds.target": attempt.target, **asked})


def retried(attempt: Attempt, code: str, lane: str | None) -> None:
    """Add an event that says how the attempt failed, and the first one's own before it."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    if (started := _started.pop(span, None)) is not None:
        span.add_event(ATTEMPT, _said(attempt, lane), timestamp=started)
    failed = of_end(code) if is_http(attempt.method) else {"grpc.status": code}
    span.add_event(RETRY, {"xds.attempt": attempt.number, **failed})


def _said(attempt: Attempt, lane: str | None) -> _Attributes:
    said: _Attributes = {
        "xds.route": attempt.route,
        "xds.cluster": attempt.cluster,
        "xds.endpoint": attempt.endpoint,
        "xds.attempt": attempt.number,
    }
    if lane is not None:
        said["xds.lane"] = lane
    return said


def _of_one_call(span: Span) -> bool:
    return getattr(span, "kind", None) is SpanKind.CLIENT
