"""What OpenTelemetry's semantic conventions for HTTP clients say of requests. Pure.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ (stable since 1.23.0)
"""

from __future__ import annotations

Attributes = dict[str, str | int]

DURATION = "http.client.request.duration"
DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The buckets of DURATION, in seconds."""
OTHER = "_OTHER"
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


def is_http(method: str) -> bool:
    """Whether what an observer is told of is an HTTP request: a gRPC call's method begins with a slash."""
    return not method.startswith("/")


def of_request(target: str, method: str) -> Attributes:
    """Who was asked, and by which method; never for what: paths are without bound."""
    verb = method.partition(" ")[0]
    host, _, port = target.removeprefix("xds:///").rpartition(":")
    return {
        "http.request.method": verb if verb in _METHODS else OTHER,
        "server.address": host.strip("[]"),
        "server.port": int(port),
    }


def of_end(code: str) -> Attributes:
    """The status, and what there is to call an error: a status from 400 on, else the exception's class."""
    if not code.isdigit():
        return {"error.type": code}
    error: Attributes = {"error.type": code} if int(code) >= 400 else {}
    return {"http.response.status_code": int(code), **error}
