"""The `fault` of an HTTP route, by the rules of Istio's `validateHTTPFaultInjection`."""

from __future__ import annotations

from controlplane.fields import Fields
from controlplane.objects import Abort, Delay, Fault

GRPC_STATUS = {
    name: code
    for code, name in enumerate(
        (
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        )
    )
}


def parse_fault(route: Fields) -> Fault | None:
    """Read `fault`; None where it is absent."""
    fault = route.child("fault")
    if fault is None:
        return None
    delay, abort = _delay(fault), _abort(fault)
    if not fault.has("delay") and not fault.has("abort"):
        fault.error("needs an abort or a delay")
    fault.close()
    return Fault(delay, abort)


def _delay(fault: Fields) -> Delay | None:
    delay = fault.child("delay")
    if delay is None:
        return None
    if delay.has("exponentialDelay"):
        delay.error("not supported, in Istio neither", "exponentialDelay")
    fixed = delay.duration("fixedDelay")
    if not delay.has("fixedDelay"):
        delay.warn("without fixedDelay nothing is delayed")
    millionths = _percentage(delay)
    percent = delay.integer("percent") or 0
    if not (percent if millionths is None else millionths):
        delay.warn("without a percentage above 0 no call is delayed")
    delay.close()
    return None if fixed is None else Delay(fixed, millionths, percent)


def _abort(fault: Fields) -> Abort | None:
    abort = fault.child("abort")
    if abort is None:
        return None
    if abort.has("http2Error"):
        abort.error("not supported, in Istio neither", "http2Error")
    http = abort.integer("httpStatus")
    if http is not None and not 200 <= http <= 600:
        abort.error(f"HTTP status {http} is not in the range 200-599", "httpStatus")
    code: int | None = None
    if abort.has("grpcStatus"):
        status = abort.string("grpcStatus")
        code = GRPC_STATUS.get(status)
        if code is None:
            abort.error(f'"{status}" is no gRPC status; one is NOT_FOUND', "grpcStatus")
        if abort.has("httpStatus"):
            abort.error("only one of httpStatus and grpcStatus may be set", "grpcStatus")
    elif not abort.has("httpStatus"):
        abort.warn("without httpStatus or grpcStatus nothing is aborted")
    millionths = _percentage(abort)
    if not millionths:
        abort.warn("without a percentage above 0 no call is aborted")
    abort.close()
    return None if http is None and code is None else Abort(http, code, millionths)


def _percentage(fields: Fields) -> int | None:
    percentage = fields.child("percentage")
    if percentage is None:
        return None
    value = percentage.number("value") or 0.0
    if value and not 0.0001 <= value <= 100:
        percentage.error(f"percentage {value:g} is neither 0 nor in the range 0.0001 to 100", "value")
        value = 0.0
    percentage.close()
    # Truncated, not rounded: uint32(value * 10000) in Istio.
    return int(value * 10_000)
