"""Retry policies (gRFC A44, Envoy's retry conditions)."""

from __future__ import annotations

from typing import Any

from ..errors import ResourceError
from ..resources import RetryPolicy
from .matchers import parse_header
from .scalars import duration
from .support import Notes, check_fields

_OF_STATUS = frozenset({"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"})
"""What the status of a gRPC call may be (gRFC A44)."""

_OF_LOSS = frozenset({"5xx", "connect-failure", "gateway-error", "refused-stream", "reset"})
"""What applies to gRPC calls, too, where the server did not answer."""

_OF_HTTP = frozenset({"envoy-ratelimited", "retriable-4xx", "retriable-headers", "retriable-status-codes"})
"""What asks for something of an HTTP response."""

_KNOWN = _OF_STATUS | _OF_LOSS | _OF_HTTP

_UNASKED = frozenset(
    {"connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"}
)
_UNASKED_CODES: tuple[list[int], ...] = ([], [503])
"""What Istiod writes into every route whose user asked for no retries: a note on each would be noise."""


def parse_retry(message: Any, where: str, notes: Notes) -> RetryPolicy:
    """Validate a RetryPolicy; one without a condition that is known means no retries."""
    check_fields(message, where, notes)
    wanted = {word.strip() for word in message.retry_on.split(",")} - {""}
    attempts = message.num_retries.value + 1 if message.HasField("num_retries") else 2
    if message.HasField("num_retries") and attempts < 2:
        # Envoy reads 0 as none; gRFC A44 demands at least 1. None is the narrower of the two readings.
        return RetryPolicy(frozenset(), 1)
    base, longest = 0.025, 0.25
    if message.HasField("retry_back_off"):
        at = f"{where}.retry_back_off"
        check_fields(message.retry_back_off, at, notes)
        base = duration(message.retry_back_off.base_interval, f"{at}.base_interval")
        if base <= 0:
            raise ResourceError(f"{at}.base_interval", "must be above 0")
        base = max(base, 0.001)
        longest = 10 * base
        if message.retry_back_off.HasField("max_interval"):
            longest = max(duration(message.retry_back_off.max_interval, f"{at}.max_interval"), 0.001)
            if longest < base:
                raise ResourceError(f"{at}.max_interval", "is smaller than base_interval")
    per_try = duration(message.per_try_timeout, f"{where}.per_try_timeout") or None
    headers = tuple(
        parse_header(each, f"{where}.retriable_headers[{i}]", notes)
        for i, each in enumerate(message.retriable_headers)
    )
    codes = frozenset(message.retriable_status_codes)
    _note_conditions(message, wanted, where, notes)
    return RetryPolicy(frozenset(wanted & _KNOWN), attempts, base, longest, per_try, codes, headers)


def _note_conditions(message: Any, wanted: set[str], where: str, notes: Notes) -> None:
    """Note what is asked for beyond Istiod's default and does not concern a gRPC call, or nobody."""
    if wanted == _UNASKED and list(message.retriable_status_codes) in _UNASKED_CODES:
        return
    for word in sorted(wanted - _OF_STATUS - _OF_LOSS):
        if word not in _KNOWN:
            notes.add(f"{where}.retry_on", f"{word!r} has no effect here: it is not known")
        elif word in ("retriable-headers", "envoy-ratelimited"):
            notes.add(f"{where}.retry_on", f"{word!r} has no effect on gRPC calls")
