"""Requests out of spans, which come from several processes, in any order and late. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.reading.calls import VISITOR, Call, Directory, call_of, is_request
from console.reading.hue import hue
from console.reading.spans import Place, Span
from lanes.context import BASE
from lanes.own import PREFIX

KEEP = 300
"""How many requests are kept, and how many traces of which no request is known yet."""
_SPANS = 500
"""How many spans of one trace are kept: a caller may send the same trace id with everything."""

Versions = Mapping[str, Mapping[str, str]]
"""By lane and service, the version that is the lane's own."""


@dataclass(frozen=True, slots=True)
class Row:
    """A span in its place in a trace: the call it made, if it is a client's of a call."""

    span: Span
    depth: int
    call: Call | None


@dataclass(frozen=True, slots=True)
class Request:
    """A request from outside: the door's span, and every span of its trace below it, parents first."""

    root: Span
    rows: tuple[Row, ...]

    @property
    def user(self) -> str:
        """Who was signed in; empty for nobody."""
        return self.root.text("enduser.id")

    def row(self, span_id: str) -> Row | None:
        """The row of a span."""
        return next((row for row in self.rows if row.span.span_id == span_id), None)

    def to_json(self, versions: Versions) -> dict[str, Any]:
        """As the list shows it."""
        hops = [_hop(call, versions) for call in self._calls()]
        error = self.root.error
        if self.root.failed and self.root.error in ("", self.root.code):
            error = next((hop["error"] for hop in hops[1:] if hop["error"]), self.root.error)
        return {
            "trace_id": self.root.trace_id,
            "start": self.root.start,
            "duration_ms": self.root.duration_ms,
            "method": self.root.text("http.method"),
            "path": self.root.text("http.target") or self.root.text("http.route"),
            "status": self.root.number("http.status_code"),
            "lane": self.root.lane,
            "hue": hue(self.root.lane),
            "user": self.user,
            "error": error,
            "hops": hops,
        }

    def _calls(self) -> Iterator[Call]:
        yield Call(VISITOR, self.root.place, None, self.root)
        served = {row.call.served.span_id for row in self.rows if row.call and row.call.served}
        for row in self.rows:
            if row.call is not None:
                yield row.call
            elif row.span.kind == "SERVER" and row.depth and row.span.span_id not in served:
                # Its caller's span is not there: the caller keeps none, or is out of reach.
                parent = self.row(row.span.parent or "")
                if parent is None or parent.call is None:
                    yield Call(VISITOR, row.span.place, None, row.span)


def own(call: Call, versions: Versions) -> bool:
    """Whether a lane's own version was sent a call, by the rule it went by or by what the lane holds now."""
    lane, callee = call.span.lane, call.callee
    if lane == BASE or not callee.version:
        return False
    return call.route == f"{PREFIX}{lane}" or versions.get(lane, {}).get(callee.service) == callee.version


def _hop(call: Call, versions: Versions) -> dict[str, Any]:
    error = call.span.error if call.span.failed else ""
    return {
        **call.callee.to_json(),
        "lane": call.span.lane,
        "own": own(call, versions),
        "error": error,
    }


def request_of(spans: Iterable[Span], directory: Directory, door: str) -> Request | None:
    """The request in the spans of a trace; None as long as the door has not told of it."""
    by_id = {span.span_id: span for span in spans}
    roots = [s for s in by_id.values() if is_request(s, door) and s.parent not in by_id]
    if not roots:
        return None
    root = max(roots, key=lambda span: span.start)
    children: dict[str, list[Span]] = defaultdict(list)
    loose: list[Span] = []
    for span in sorted(by_id.values(), key=lambda span: span.start):
        if span.parent in by_id and span.parent != span.span_id:
            children[span.parent].append(span)
        elif span is not root and span not in roots:
            loose.append(span)  # what lies between it and the request is not there, or not yet
    rows: list[Row] = []
    open_ = [(span, 1) for span in reversed(loose)] + [(root, 0)]
    while open_:
        span, depth = open_.pop()
        below = children.pop(span.span_id, [])
        servers = (each for each in below if each.kind == "SERVER")
        rows.append(Row(span, depth, call_of(span, servers, directory) if span.is_call else None))
        open_ += [(each, depth + 1) for each in reversed(below)]
    return Request(root, tuple(rows))


class Traces:
    """The last requests; `changed` has the ids of those that are new or that more has become known of."""

    def __init__(self, door: str, keep: int = KEEP) -> None:
        self._door = door
        self._keep = keep
        self._traces: dict[str, dict[str, Span]] = {}
        self._begun: dict[str, float] = {}
        """When the door began each request, by trace."""
        self.changed: set[str] = set()

    def add(self, spans: Iterable[Span]) -> None:
        """Keep these; one that is known already changes nothing."""
        for span in spans:
            trace = self._traces.setdefault(span.trace_id, {})
            if span.span_id in trace:
                continue
            if len(trace) >= _SPANS:
                del trace[next(iter(trace))]
            trace[span.span_id] = span
            if is_request(span, self._door):
                self._begun[span.trace_id] = max(span.start, self._begun.get(span.trace_id, 0.0))
            self.changed.add(span.trace_id)
        self._forget()
        self.changed &= self._traces.keys()

    def _forget(self) -> None:
        for trace_id in sorted(self._begun, key=lambda each: self._begun[each])[: -self._keep]:
            del self._begun[trace_id], self._traces[trace_id]
        waiting = [trace_id for trace_id in self._traces if trace_id not in self._begun]
        for trace_id in waiting[: -self._keep]:
            del self._traces[trace_id]

    def ids(self) -> list[str]:
        """The traces of the requests kept, newest first."""
        return sorted(self._begun, key=lambda each: -self._begun[each])

    def request(self, trace_id: str, directory: Directory) -> Request | None:
        """The request of a trace; None where it is not known, or not any more."""
        return request_of(self._traces.get(trace_id, {}).values(), directory, self._door)


def detail(request: Request, explainable: frozenset[str]) -> list[dict[str, Any]]:
    """The spans of a request for its waterfall; `explainable` are those whose client can be asked why."""
    return [_row(row, request.root.start, explainable) for row in request.rows]


def _row(row: Row, begun: float, explainable: frozenset[str]) -> dict[str, Any]:
    span = row.span
    return {
        "span_id": span.span_id,
        "parent": span.parent,
        **span.place.to_json(),
        "instance": span.instance,
        "name": span.name,
        "kind": span.kind,
        "start_ms": round((span.start - begun) * 1000, 3),
        "duration_ms": span.duration_ms,
        "lane": span.lane,
        "hue": hue(span.lane),
        "code": span.code,
        "error": span.error if span.failed else "",
        "attempts": [attempt.to_json() for attempt in span.attempts],
        "explainable": span.span_id in explainable,
    }


def places_of(calls: Iterable[Call]) -> set[Place]:
    """Everybody inside who called or was called."""
    return {place for call in calls for place in (call.caller, call.callee) if place != VISITOR}
