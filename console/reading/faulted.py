"""What a rule's fault did to a call, as far as its span tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from console.reading.spans import Span, grpc_code

Ended = Literal["", "delay", "abort"]
"""By what part of a rule a call was ended before anybody was picked to serve it."""

_BY_ROUTE = re.compile(r"by route (?:'([^']*)'|(#\d+))")
_IN_DELAY = "in a delay injected by route"
_ABORTED = "fault injected by route"
_LATE = ("", "UNKNOWN", "CANCELLED", "DEADLINE_EXCEEDED")
# A first attempt this soon has no time of its own in a span.
_AT_ONCE_MS = 5.0
# Clocks and timers agree to a hair only.
_NEARLY = 0.98


def ended_by(span: Span) -> tuple[str, Ended]:
    """The rule that a failed call's error names, and by what it ended the call."""
    if span.attempts or (named := _BY_ROUTE.search(span.error)) is None:
        return "", ""
    kind: Ended = "delay" if _IN_DELAY in span.error else "abort" if _ABORTED in span.error else ""
    return named[1] or named[2], kind


def seems_ended(span: Span, fault: Mapping[str, Any]) -> Ended:
    """By what this fault would have ended a call that was sent nowhere and whose error names no rule.

    So it is with HTTP, where an abort is an answer like any other and a caller's patience its own.
    """
    if span.attempts or not span.failed:
        return ""
    abort, seconds = fault.get("abort") or {}, _seconds(fault)
    if abort.get("http_status") is not None and span.code == str(abort["http_status"]):
        return "abort"
    if seconds is not None and span.code in _LATE and span.duration_ms / 1000 < seconds:
        return "delay"
    return ""


def aborted(span: Span) -> bool:
    """Whether a rule answered a call with an error: it says so, or there is an answer that nobody gave."""
    return not span.attempts and span.failed and (_ABORTED in span.error or _answered_here(span))


def _answered_here(span: Span) -> bool:
    return isinstance(span.attributes.get("http.status_code"), int)


def fault_in_words(
    fault: Mapping[str, Any], span: Span, ended: Ended, *, known: bool, timeout: float | None
) -> Iterator[str]:
    """What the rule does to its calls and, where it is `known` to be the one of then, did to this one.

    `timeout` is the rule's own, in seconds.
    """
    if delay := fault.get("delay"):
        long = "for as long as its headers ask" if delay["seconds"] is None else f"by {delay['seconds']:g} s"
        this = _delayed(span, delay["seconds"], ended, timeout) if known else ""
        yield f"The rule delays {delay['percentage']:g} % of its calls {long}{this}."
    if abort := fault.get("abort"):
        http, grpc = abort.get("http_status"), abort.get("grpc_status")
        status = f"HTTP {http}" if http else grpc_code(grpc) if isinstance(grpc, int) else "what they ask for"
        hit = "; this call was one of them, and was ended before anybody was picked to serve it"
        missed = "; this call was not one of them" if span.attempts or ended == "delay" else ""
        this = (hit if ended == "abort" else missed) if known else ""
        yield f"The rule aborts {abort['percentage']:g} % of its calls with {status}{this}."


def _delayed(span: Span, seconds: float | None, ended: Ended, timeout: float | None) -> str:
    took = span.duration_ms / 1000
    if ended == "delay":
        own = timeout is not None and timeout <= took + 0.05
        whose = f"the rule's timeout of {timeout:g} s" if own else "its caller's deadline"
        return (
            f"; this call was one of them, and ended after {took:.3g} s while it was still being delayed: "
            f"{whose} was over by then, before anybody was picked to serve it"
        )
    if seconds is None:
        return "; whether this call was one of them cannot be told"
    if span.attempts:
        waited = span.attempts[0].after_ms
        if not waited and seconds * 1000 <= _AT_ONCE_MS:
            return "; whether this call was one of them is too short to be told"
        return _by_timing(waited, seconds, "sent")
    if ended == "abort":
        return _by_timing(span.duration_ms, seconds, "ended")
    return "; whether this call was one of them cannot be told"


def _by_timing(waited_ms: float, seconds: float, what: str) -> str:
    was = "was" if waited_ms >= seconds * 1000 * _NEARLY else "was not"
    after = f"after {waited_ms:.3g} ms" if waited_ms else "at once"
    return f"; this call {was} one of them by its timing, it was {what} {after}"


def _seconds(fault: Mapping[str, Any]) -> float | None:
    seconds = (fault.get("delay") or {}).get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else None
