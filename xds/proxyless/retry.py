"""When to retry a call, and how long to wait before (gRFCs A6, A44)."""

from __future__ import annotations

from collections.abc import Callable

from .resources import RetryPolicy

_CONDITION_OF_CODE = {
    1: "cancelled",
    4: "deadline-exceeded",
    8: "resource-exhausted",
    13: "internal",
    14: "unavailable",
}

BUFFER_LIMIT = 256 * 1024
"""Bytes of requests kept for a replay; a call that sends more is committed (gRFC A6)."""


def may_retry(policy: RetryPolicy, code: int, attempts: int, *, slow: bool = False) -> bool:
    """Whether a call that failed with the gRPC status `code` after `attempts` attempts gets one more.

    `slow` tells that the last attempt exceeded `per_try_timeout`.
    """
    if attempts >= policy.max_attempts:
        return False
    return (slow and policy.retry_slow) or _CONDITION_OF_CODE.get(code) in policy.retry_on


def backoff(policy: RetryPolicy, attempts: int, uniform: Callable[[float, float], float]) -> float:
    """Return the seconds to wait after `attempts` failed attempts: doubling, capped, jittered by a fifth."""
    return min(policy.base_interval * 2.0 ** (attempts - 1), policy.max_interval) * uniform(0.8, 1.2)


def pushback(value: str | bytes | None) -> float | None:
    """Read `grpc-retry-pushback-ms`: seconds to wait, -1 for "do not retry", None for "says nothing"."""
    if value is None:
        return None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return -1.0
    return int(text) / 1000
