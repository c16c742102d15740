"""Fault injection: which delay and abort a call gets (gRFC A33)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from .match import CallHeaders, RequestHeaders
from .resources import FaultAbort, FaultFilter, FaultPolicy, Fraction

_GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


_HTTP_OF_GRPC = {0: 200, 1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409} | {
    11: 400,
    12: 501,
    14: 503,
    16: 401,
}
"""What Envoy answers an HTTP request with where a gRPC status is configured; 500 for the others."""


class Fault(Struct, frozen=True):
    """What is injected into one call: seconds of delay, then a status, or neither."""

    delay: float = 0.0
    abort: int | None = None
    """gRPC's for a gRPC call, HTTP's for an HTTP request."""
    max_active: int | None = None
    """How many calls may suffer a fault at once, in the whole process, for this one to be injected."""

    def __bool__(self) -> bool:
        return self.delay > 0 or self.abort is not None


NO_FAULT = Fault()


def effective_policies(
    chain: Iterable[FaultFilter], *overrides: Iterable[FaultFilter]
) -> tuple[FaultPolicy, ...]:
    """Return the policy of each fault filter in the chain; later `overrides` are the more specific (A39)."""
    by_name = {filter.name: filter.policy for level in overrides for filter in level}
    return tuple(by_name.get(filter.name, filter.policy) for filter in chain)


def draw_fault(policy: FaultPolicy, call: CallHeaders, draw: Callable[[int], int]) -> Fault:
    """Decide the fault of one call: its delay and its abort each by a draw of their own.

    What the request's headers ask for counts only where the policy leaves it to them, and a status of OK
    aborts nothing.
    """
    delay, abort = 0.0, None
    if policy.delay is not None:
        seconds, share = policy.delay.seconds, policy.delay.fraction
        if seconds is None:
            seconds = (_integer(call.get("x-envoy-fault-delay-request")) or 0) / 1000
            share = _lowered(share, call.get("x-envoy-fault-delay-request-percentage"))
        if seconds > 0 and draw(share.denominator) < share.numerator:
            delay = seconds
    if policy.abort is not None:
        share = policy.abort.fraction
        if policy.abort.code is None:
            share = _lowered(share, call.get("x-envoy-fault-abort-request-percentage"))
        code = (
            http_status(policy.abort, call)
            if isinstance(call, RequestHeaders)
            else _grpc_status(policy.abort, call)
        )
        if code and draw(share.denominator) < share.numerator:
            abort = code
    return Fault(delay, abort, policy.max_active)


def combined(faults: Iterable[Fault], active: int) -> Fault:
    """What several fault filters do to one call, while `active` calls of the process suffer a fault.

    Their delays add up, and the first abort counts.
    """
    allowed = [each for each in faults if each.max_active is None or active < each.max_active]
    return Fault(
        sum(each.delay for each in allowed),
        next((each.abort for each in allowed if each.abort is not None), None),
    )


def _grpc_status(abort: FaultAbort, call: CallHeaders) -> int | None:
    return _requested_code(call) if abort.code is None else abort.code


def http_status(abort: FaultAbort, call: CallHeaders) -> int | None:
    """The HTTP status of an abort; what a request asks for must be one, from 200 on."""
    if abort.http is not None:
        return abort.http
    code = abort.code
    if code is None:
        asked = _integer(call.get("x-envoy-fault-abort-request"))
        if asked is not None:
            return asked if 200 <= asked < 600 else None
        code = _integer(call.get("x-envoy-fault-abort-grpc-request"))
    return None if code is None else _HTTP_OF_GRPC.get(code, 500)


def _requested_code(call: CallHeaders) -> int | None:
    code = _integer(call.get("x-envoy-fault-abort-grpc-request"))
    if code is not None:
        return code if code <= 16 else 2
    http = _integer(call.get("x-envoy-fault-abort-request"))
    if http is None:
        return None
    return 0 if http == 200 else _GRPC_OF_HTTP.get(http, 2)


def _lowered(configured: Fraction, asked: str | None) -> Fraction:
    """A request may ask for a smaller share than configured, never for a larger one."""
    numerator = _integer(asked)
    if numerator is None:
        return configured
    return Fraction(min(numerator, configured.numerator), configured.denominator)


def _integer(text: str | None) -> int | None:
    """The number a header holds, where it is one; of several values the first (A33 lets any count)."""
    first = (text or "").partition(",")[0]
    return int(first) if first.isascii() and first.isdigit() and len(first) <= 10 else None
