"""When to retry a call or a request, and how long to wait before (gRFCs A6, A44; Envoy's retry policy).

A gRPC call is retried for its status by gRPC's five conditions, and by Envoy's where the attempt ended
without a status of the server's, as it would be behind a sidecar:

- `connect-failure`: there was no connection to send it on;
- `refused-stream`: the server refused it before it looked at it;
- `reset`: it was broken off, or took longer than `per_try_timeout`; or one of the two above;
- `5xx`, `gateway-error`: as `reset`, and where what answered was no gRPC server, by its HTTP status, as
  `retriable-status-codes` and `retriable-4xx`.

A server that says UNAVAILABLE says so in an HTTP response of status 200: of these none applies to it.
gRPC's own client ignores these words (A44).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeAlias

from .match.headers import Fields, FieldTest, compile_header
from .resources import HeaderMatch, RetryPolicy

Loss: TypeAlias = Literal["connect-failure", "refused-stream", "reset"]
"""How an attempt ends that gets no answer."""

GRPC_ATTEMPTS = 5
"""A gRPC call has no more attempts than that, whatever `num_retries` says (gRFC A6)."""

_CONDITION_OF_CODE = {
    1: "cancelled",
    4: "deadline-exceeded",
    8: "resource-exhausted",
    13: "internal",
    14: "unavailable",
}
GRPC_CONDITIONS = frozenset(_CONDITION_OF_CODE.values())
"""Words of `retry_on` that HTTP requests know nothing of."""
_ANY_LOSS = frozenset({"reset", "5xx", "gateway-error"})
_GATEWAY_ERRORS = (502, 503, 504)
_CONFLICT = 409
"""The one 4xx that Envoy retries by `retriable-4xx`."""

BUFFER_LIMIT = 256 * 1024
"""Bytes of requests kept for a replay; a call that sends more is committed (gRFC A6)."""


def may_retry(
    policy: RetryPolicy, code: int, attempts: int, *, lost: Loss | None = None, http_status: int | None = None
) -> bool:
    """Whether a call that failed with the gRPC status `code` after `attempts` attempts gets one more.

    `lost` tells that the status is not the server's, because the attempt got no answer; `http_status` that
    what answered was no gRPC server.
    """
    if attempts >= min(policy.max_attempts, GRPC_ATTEMPTS):
        return False
    return (
        _CONDITION_OF_CODE.get(code) in policy.retry_on
        or (lost is not None and _by_loss(policy, lost))
        or (http_status is not None and _by_status(policy, http_status))
    )


def may_retry_request(
    policy: RetryPolicy,
    attempts: int,
    *,
    lost: Loss | None = None,
    status: int | None = None,
    headers: Fields | None = None,
) -> bool:
    """Whether an HTTP request gets one more attempt after `attempts` attempts.

    The last one either was `lost` (a `per_try_timeout` is a `reset`), or answered with `status` and
    `headers`, which are looked up in lower case.
    """
    if attempts >= policy.max_attempts:
        return False
    if lost is not None:
        return _by_loss(policy, lost)
    if headers is not None and headers.get("x-envoy-ratelimited") is not None:
        return "envoy-ratelimited" in policy.retry_on
    if status is not None and _by_status(policy, status):
        return True
    if headers is None or "retriable-headers" not in policy.retry_on:
        return False
    return any(test(headers) for test in _header_tests(policy.headers))


def _by_loss(policy: RetryPolicy, lost: Loss) -> bool:
    return lost in policy.retry_on or not policy.retry_on.isdisjoint(_ANY_LOSS)


def _by_status(policy: RetryPolicy, status: int) -> bool:
    wanted = policy.retry_on
    return (
        ("5xx" in wanted and 500 <= status < 600)
        or ("gateway-error" in wanted and status in _GATEWAY_ERRORS)
        or ("retriable-4xx" in wanted and status == _CONFLICT)
        or ("retriable-status-codes" in wanted and status in policy.status_codes)
    )


@lru_cache(maxsize=64)
def _header_tests(matches: tuple[HeaderMatch, ...]) -> tuple[FieldTest, ...]:
    return tuple(compile_header(match) for match in matches)


def backoff(policy: RetryPolicy, attempts: int, uniform: Callable[[float, float], float]) -> float:
    """Return the seconds to wait after `attempts` failed attempts: doubling, capped, jittered by a fifth."""
    return _interval(policy, attempts) * uniform(0.8, 1.2)


def request_backoff(policy: RetryPolicy, attempts: int, uniform: Callable[[float, float], float]) -> float:
    """Return the same for HTTP requests, jittered fully, as Envoy does: anything from 0 on."""
    return uniform(0.0, _interval(policy, attempts))


def _interval(policy: RetryPolicy, attempts: int) -> float:
    return min(policy.base_interval * 2.0 ** min(attempts - 1, 64), policy.max_interval)


def pushback(value: str | bytes | None) -> float | None:
    """Read `grpc-retry-pushback-ms`: seconds to wait, -1 for "do not retry", None for "says nothing"."""
    if value is None:
        return None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return -1.0
    return int(text) / 1000
