"""Hops as JSON APIs give them, and how long each took, which those APIs leave out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bookinfo_pb.v1 import hop_pb2

_MICROSECONDS = 1_000_000
_MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """A call as its caller measured it, in seconds: `asked` counts from when the caller itself began."""

    asked: float
    took: float


def measured(hop: hop_pb2.Hop, span: Span) -> None:
    """Write into the hop of an answer what the caller measured."""
    hop.asked_us = min(round(span.asked * _MICROSECONDS), _MOST)
    hop.took_us = min(round(span.took * _MICROSECONDS), _MOST)


def span_of(hop: hop_pb2.Hop) -> Span | None:
    """What the caller measured, None if it did not."""
    if not hop.HasField("took_us"):
        return None
    return Span(hop.asked_us / _MICROSECONDS, hop.took_us / _MICROSECONDS)


def hop_tree(hop: hop_pb2.Hop) -> dict[str, Any]:
    """A hop and all below it, as the API gives it."""
    return {
        "service": hop.service,
        "version": hop.version,
        "instance": hop.instance,
        "lane": hop.lane,
        "calls": [hop_tree(call) for call in hop.calls],
    }
