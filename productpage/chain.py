"""The chain one request took: who asked whom, in which lane, whether its own answered, how long. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bookinfo_pb.v1 import hop_pb2
from lanes.context import BASE
from productpage.backends import Parts
from serving.failures import Failure, kept_from_base
from serving.hops import Span, span_of
from serving.lanes import HeldLane


@dataclass(frozen=True, slots=True)
class Station:
    """One hop of the chain; `start` (since the page began) and `took` are seconds, None if not measured."""

    service: str
    version: str = ""
    instance: str = ""
    lane: str = BASE
    """The lane of the request as this hop saw it."""
    own: bool = False
    """Whether it was served by that lane's own version; otherwise base stood in, or there is no lane."""
    depth: int = 0
    caller: int | None = None
    start: float | None = None
    took: float | None = None
    failed: str = ""
    """Why there was no answer."""

    @property
    def stood_in(self) -> bool:
        """Whether base served a request that has a lane."""
        return self.lane != BASE and not self.own and not self.failed and self.caller is not None

    @property
    def title(self) -> str:
        """Service and version."""
        return f"{self.service} {self.version}".rstrip()


def chain_of(own: hop_pb2.Hop, parts: Parts, took: float, lane: HeldLane | None) -> tuple[Station, ...]:
    """The stations, callers before those they called; `lane` is the request's, None for base or unknown."""
    door = Station(own.service, own.version, own.instance, own.lane, _is_own(own, lane), 0, None, 0.0, took)
    stations = [door]
    for service, part in (("details", parts.details), ("reviews", parts.reviews)):
        span = parts.spans.get(service)
        if isinstance(part, Failure):
            stations.append(_lost(service, own.lane, 0, 1, span, part.says or f"{part.code}: {part.reason}"))
        else:
            stations += _stations(part.hop, 0, len(stations), 1, span, lane)
    reviews = parts.reviews
    if not isinstance(reviews, Failure) and reviews.ratings_error:
        caller = len(stations) - 1 - len(reviews.hop.calls)
        says = kept_from_base(reviews.ratings_error, reviews.hop.lane)
        stations.append(_lost("ratings", reviews.hop.lane, caller, 2, None, says or reviews.ratings_error))
    return tuple(stations)


def _stations(
    hop: hop_pb2.Hop, caller: int, place: int, depth: int, span: Span | None, lane: HeldLane | None
) -> Iterator[Station]:
    start = span.asked if span else None
    took = span.took if span else None
    yield Station(
        hop.service, hop.version, hop.instance, hop.lane, _is_own(hop, lane), depth, caller, start, took
    )
    below = place + 1
    for call in hop.calls:
        inner = span_of(call)
        # It counts from when its caller began: when that one was asked, less a way of the network.
        inner = Span(start + inner.asked, inner.took) if inner and start is not None else None
        found = tuple(_stations(call, place, below, depth + 1, inner, lane))
        yield from found
        below += len(found)


def _lost(service: str, lane: str, caller: int, depth: int, span: Span | None, reason: str) -> Station:
    start, took = (span.asked, span.took) if span else (None, None)
    return Station(service, lane=lane, depth=depth, caller=caller, start=start, took=took, failed=reason)


def _is_own(hop: hop_pb2.Hop, lane: HeldLane | None) -> bool:
    return lane is not None and lane.serves(hop.service, hop.version)


def in_words(stations: Sequence[Station]) -> str:
    """The chain as a screen reader may say it: each call with its lane."""
    said = []
    for station in stations[1:]:
        caller = stations[station.caller or 0].service
        if station.failed:
            said.append(f"{caller} asked {station.service}, which did not answer")
        else:
            by = f"of lane {station.lane}" if station.own else "of base"
            said.append(f"{caller} asked {station.title} {by}")
    return "; ".join(said)
