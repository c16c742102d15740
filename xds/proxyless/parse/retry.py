"""Retry policies (gRFC A44)."""

from __future__ import annotations

from typing import Any

from ..errors import ResourceError
from ..resources import RetryPolicy
from .scalars import duration
from .support import Notes, check_fields

GRPC_CONDITIONS = frozenset(
    {"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}
)
"""The `retry_on` conditions gRFC A44 knows; the others are for HTTP and are noted, not refused."""

_SLOW_CONDITIONS = frozenset({"deadline-exceeded", "5xx", "gateway-error", "reset"})
"""Those by which a call is tried again where an attempt exceeds `per_try_timeout`.

They are Envoy's, and `deadline-exceeded`, which is the status such an attempt ends with here.
"""

_UNASKED = frozenset(
    {"connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"}
)
_UNASKED_CODES: tuple[list[int], ...] = ([], [503])
"""What Istiod writes into every route whose user asked for no retries: a note on each would be noise."""

_MAX_ATTEMPTS = 5


def parse_retry(message: Any, where: str, notes: Notes) -> RetryPolicy:
    """Validate a RetryPolicy; one without a condition that applies to gRPC means no retries."""
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
    conditions = frozenset(wanted & GRPC_CONDITIONS)
    slow = per_try is not None and not wanted.isdisjoint(_SLOW_CONDITIONS)
    _note_conditions(message, wanted, where, notes, timed=per_try is not None)
    return RetryPolicy(conditions, min(attempts, _MAX_ATTEMPTS), base, longest, per_try, slow)


def _note_conditions(message: Any, wanted: set[str], where: str, notes: Notes, *, timed: bool) -> None:
    """Note what is asked for beyond Istiod's default and does not concern a gRPC call."""
    codes = list(message.retriable_status_codes)
    if wanted == _UNASKED and codes in _UNASKED_CODES:
        return
    if codes:
        notes.add(f"{where}.retriable_status_codes", "has no effect here: a gRPC call has no HTTP status")
    for word in sorted(wanted - GRPC_CONDITIONS - _UNASKED):
        if not (timed and word in _SLOW_CONDITIONS):
            known = ", ".join(sorted(GRPC_CONDITIONS))
            notes.add(f"{where}.retry_on", f"{word!r} has no effect here: gRPC knows {known}")
