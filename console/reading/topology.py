"""Who calls whom, in which lane, how often and how fast, of the last half minute. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from console.reading.calls import VISITOR, Call, Directory, calls_of
from console.reading.faulted import aborted
from console.reading.hue import hue
from console.reading.spans import Place, Span
from lanes.context import BASE

WINDOW = 30.0
"""Seconds."""
MOST_LANES = 20
"""So many lanes are told apart beside base and those there are; a caller may make up any number."""
OTHER = "other"
_LATE = 10.0
"""For so many seconds more a span is kept: its caller's may end later, and come later."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The calls from one to another in one lane; times in milliseconds.

    `aborted` says that a rule ended all of them, before anybody was picked to serve them.
    """

    lane: str
    calls: int
    errors: int
    p50: float
    p99: float
    aborted: bool = False

    def to_json(self, window: float) -> dict[str, Any]:
        """For JSON, with the rate per second over so many seconds."""
        return {
            "lane": self.lane,
            "hue": hue(self.lane),
            "calls": self.calls,
            "rate": round(self.calls / window, 2),
            "errors": self.errors,
            "p50": round(self.p50, 1),
            "p99": round(self.p99, 1),
            "aborted": self.aborted,
        }


class Window:
    """The spans that ended within the last half minute."""

    def __init__(self, door: str, seconds: float = WINDOW) -> None:
        self._door = door
        self._seconds = seconds
        self._spans: dict[tuple[str, str], Span] = {}

    def add(self, spans: Iterable[Span]) -> None:
        """Take these in."""
        for span in spans:
            self._spans.setdefault((span.trace_id, span.span_id), span)

    def calls(self, now: float, directory: Directory) -> list[Call]:
        """The calls that ended in the window."""
        oldest = now - self._seconds
        kept = {key: span for key, span in self._spans.items() if span.end >= oldest - _LATE}
        self._spans = kept
        return [call for call in calls_of(kept.values(), directory, self._door) if call.span.end >= oldest]


def edges(calls: Sequence[Call], known: Collection[str] = ()) -> dict[tuple[Place, Place], list[Traffic]]:
    """The traffic from each to each, base first and the lanes by name; `known` ones are told apart anyway."""
    apart = _told_apart(calls, known)
    found: dict[tuple[Place, Place], dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        lane = call.span.lane if call.span.lane in apart else OTHER
        found[call.caller, call.callee][lane].append(call.span)
    return {
        ends: [
            _traffic(lane, by_lane[lane], nobody=not ends[1].version)
            for lane in sorted(by_lane, key=lambda lane: (lane != BASE, lane))
        ]
        for ends, by_lane in sorted(found.items())
    }


def _told_apart(calls: Iterable[Call], known: Collection[str]) -> set[str]:
    """Base, the known lanes, and of all others those with the most calls."""
    always = {BASE, *known}
    others = Counter(call.span.lane for call in calls if call.span.lane not in always)
    return always | {lane for lane, _ in others.most_common(MOST_LANES)}


def _traffic(lane: str, spans: Sequence[Span], *, nobody: bool) -> Traffic:
    took = sorted(span.duration_ms for span in spans)
    errors = sum(span.failed for span in spans)
    by_rule = nobody and all(map(aborted, spans))
    return Traffic(lane, len(spans), errors, percentile(took, 50), percentile(took, 99), by_rule)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so many percent of the values do not exceed (the nearest rank)."""
    return ordered[max(0, ceil(share / 100 * len(ordered)) - 1)]


def requests_by_lane(calls: Iterable[Call]) -> dict[str, int]:
    """How many requests came from outside in each lane."""
    found: dict[str, int] = defaultdict(int)
    for call in calls:
        if call.caller == VISITOR:
            found[call.span.lane] += 1
    return dict(found)


def topology(
    calls: Sequence[Call],
    members: Iterable[tuple[Place, bool]],
    known: Collection[str] = (),
    window: float = WINDOW,
) -> dict[str, Any]:
    """What the page draws; `members` are the workloads there are, and whether each can be called.

    `known` are the lanes there are.
    """
    ready: dict[Place, int] = defaultdict(int)
    total: dict[Place, int] = defaultdict(int)
    for place, can_be_called in members:
        total[place] += 1
        ready[place] += can_be_called
    drawn = edges(calls, known)
    places = {*total, *(place for ends in drawn for place in ends)} - {VISITOR}
    nodes = [{**p.to_json(), "ready": ready.get(p, 0), "total": total.get(p, 0)} for p in sorted(places)]
    return {
        "window": int(window),
        "nodes": nodes,
        "edges": [
            {
                "from": caller.to_json(),
                "to": callee.to_json(),
                "lanes": [each.to_json(window) for each in traffic],
            }
            for (caller, callee), traffic in drawn.items()
        ],
    }
