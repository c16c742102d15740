"""The faults that stand in a service's VirtualService, and whose calls they are for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.acting.faults import HTTP_STATUS, copies, lane_match
from console.acting.service_rules import routes_at
from lanes.base import CLOSED
from lanes.context import BASE
from lanes.landscape import Document, Known, Landscape, LaneError, virtual_service_for
from lanes.own import lanes_in, owner_of

_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
_MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
_GRPC_STATUS = {status: code for code, status in reversed(tuple(HTTP_STATUS.items()))}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a share of the calls of a lane, of `base`, or of everybody (`lane` is empty)."""

    lane: str
    delay_ms: float | None
    abort: str | None
    percent: float

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "lane": self.lane,
            "delay_ms": self.delay_ms,
            "abort": self.abort,
            "percent": self.percent,
        }


def faults_of(landscape: Landscape, service: Known) -> list[Fault]:
    """The faults of a service, whoever wrote them; what makes a lane strict or closes base is none.

    Those of routes that match more than a lane are for none of these, and are left out.
    """
    try:
        key = virtual_service_for(landscape, service)
    except LaneError:
        return []
    http = routes_at(landscape, key) if key is not None else []
    serving = [(lane, r) for lane, r in zip(_lanes_of(http, landscape), http, strict=True) if r.get("route")]
    # Of two routes for the same calls the first one takes them.
    by_lane: dict[str, list[Fault]] = {}
    for lane, route in serving:
        if lane is not None:
            by_lane.setdefault(lane, list(_read(lane, route.get("fault"))))
    base = by_lane.pop(BASE, [])
    everybody = [Fault("", each.delay_ms, each.abort, each.percent) for each in base]
    if all(_alike(found, base) for found in by_lane.values()):
        return everybody
    return [*base, *(each for _, found in sorted(by_lane.items()) for each in found)]


def _lanes_of(http: Sequence[Document], landscape: Landscape) -> Iterator[str | None]:
    """For each route whose calls it takes; None where it asks for more, or only shuts somebody out."""
    key = landscape.lane_key
    names = [lane.name for lane in lanes_in(landscape)]
    for route, copied in zip(http, copies(http, key), strict=True):
        own = owner_of(route, key)
        if route.get("name") == CLOSED or (own is not None and own.strict):
            yield None
        elif own is not None or copied is not None:
            yield own.lane if own is not None else copied
        elif not route.get("match"):
            yield BASE
        else:
            yield next((name for name in names if route["match"] == lane_match(key, name)), None)


def _alike(one: Sequence[Fault], other: Sequence[Fault]) -> bool:
    return [(f.delay_ms, f.abort, f.percent) for f in one] == [
        (f.delay_ms, f.abort, f.percent) for f in other
    ]


def _read(lane: str, fault: object) -> Iterator[Fault]:
    """The delay and the abort of a route: one where they hit alike many, else each by itself."""
    found: Mapping[str, Any] = fault if isinstance(fault, dict) else {}
    delay, abort = (part if isinstance(part := found.get(name), dict) else {} for name in ("delay", "abort"))
    delay_ms, status = _milliseconds(delay.get("fixedDelay")), _status(abort)
    slow = 0.0 if delay_ms is None else _percent(delay)
    failing = 0.0 if status is None else _percent(abort)
    if slow and slow == failing:
        yield Fault(lane, delay_ms, status, slow)
        return
    if slow:
        yield Fault(lane, delay_ms, None, slow)
    if failing:
        yield Fault(lane, None, status, failing)


def _percent(part: Mapping[str, Any]) -> float:
    """As Istio counts: without a percentage nobody is hit; a delay may have the older whole number."""
    percentage = part.get("percentage")
    value = percentage.get("value") if isinstance(percentage, dict) else part.get("percent")
    return value if isinstance(value, int | float) else 0


def _milliseconds(text: object) -> float | None:
    parts = _PART.findall(text) if isinstance(text, str) else []
    if not parts or "".join(map("".join, parts)) != text:
        return None
    found = sum(float(number) * _MILLISECONDS[unit] for number, unit in parts)
    return int(found) if found == int(found) else found


def _status(abort: Mapping[str, Any]) -> str | None:
    if grpc := abort.get("grpcStatus"):
        return str(grpc)
    http = abort.get("httpStatus")
    return None if http is None else _GRPC_STATUS.get(http, f"HTTP {http}")
