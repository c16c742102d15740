"""Delays and aborts written into the routes of a service, and taken out again. Pure.

A lane that has a version of the service has a route of its own there, which takes the fault. One that has
none is served by base, so a copy of the base route goes right above it, with the lane's match and the fault;
it is named `fault-LANE`, which is no name of a lane's route, so the lane holds what it held before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.acting.service_rules import (
    base_of,
    routed,
    routes_at,
    with_routes,
    with_virtual_service,
)
from lanes.baggage import HEADER
from lanes.base import CLOSED, is_pin
from lanes.context import BASE
from lanes.landscape import Document, Key, Known, Landscape, LaneError, virtual_service_for
from lanes.own import FAULT, lanes_in, open_base, owner_of, owns
from lanes.render import lane_regex
from lanes.spec import Mode

HTTP_STATUS: Mapping[str, int] = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "UNAUTHENTICATED": 401,
}
"""As google.rpc.Code maps them; all others are 500."""


def fault_of(*, grpc: bool, delay_ms: int | None, abort: str | None, percent: float) -> Document:
    """The `fault` of a route that delays by milliseconds or fails with a gRPC status, a share of the calls.

    A service that speaks HTTP fails with the HTTP status for that gRPC status.
    """
    found: dict[str, Any] = {}
    if delay_ms is not None:
        found["delay"] = {"percentage": {"value": percent}, "fixedDelay": f"{delay_ms}ms"}
    if abort is not None:
        status = {"grpcStatus": abort} if grpc else {"httpStatus": HTTP_STATUS.get(abort, 500)}
        found["abort"] = {"percentage": {"value": percent}, **status}
    return found


def inject(
    landscape: Landscape, name: str, lane: str, delay_ms: int | None, abort: str | None, percent: float
) -> Landscape:
    """The landscape with this fault for everybody (`lane` is empty), for `base`, or for one lane."""
    service = routed(landscape, name)
    fault = fault_of(grpc=service.grpc, delay_ms=delay_ms, abort=abort, percent=percent)
    landscape, key = with_virtual_service(landscape, service)
    http, lane_key = routes_at(landscape, key), landscape.lane_key
    if lane in ("", BASE):
        http = _with_open_base(http, service, key, lane_key)
    else:
        http = _with_route_of(landscape, http, service, key, lane)
    hit = _hit(http, lane, lane_key)
    if not any(hit):
        raise LaneError(f"No route of {key} leads to a service, so there is nothing to disturb.")
    disturbed = [{**route, "fault": fault} if here else route for route, here in zip(http, hit, strict=True)]
    return with_routes(landscape, key, disturbed)


def clear(landscape: Landscape, name: str, lane: str) -> Landscape:
    """The landscape without the faults of everybody's calls (`lane` is empty), of base's, or of one lane's.

    LaneError where there is none. What makes a lane strict is no such fault and stays.
    """
    service = routed(landscape, name)
    key = virtual_service_for(landscape, service)
    http = routes_at(landscape, key) if key is not None else []
    hit, copied = _hit(http, lane, landscape.lane_key), copies(http, landscape.lane_key)
    found: list[Document] = []
    for route, here, of in zip(http, hit, copied, strict=True):
        if of is not None and lane in ("", of):
            continue
        found.append({name: part for name, part in route.items() if name != "fault"} if here else route)
    if key is None or found == http:
        whose = {"": "", BASE: " for base"}.get(lane, f" for the lane {lane}")
        raise LaneError(f"There is no fault at {name}{whose} to clear.")
    return with_routes(landscape, key, found)


def copies(http: Sequence[Document], lane_key: str) -> list[str | None]:
    """For each route the lane for whose fault it copies base, None for all others.

    With what lanes that came later have put above a copy, as above any route that leads to all versions.
    """
    found: list[str | None] = []
    below: Document = {}
    for route in reversed(http):
        lane = _copied_for(route, lane_key)
        if lane is None and found and found[-1] is not None and is_pin(route):
            lane = found[-1] if route.get("match") == below.get("match") else None
        found.append(lane)
        below = route
    return found[::-1]


def _copied_for(route: Document, lane_key: str) -> str | None:
    name = str(route.get("name") or "")
    lane = name.removeprefix(FAULT)
    return lane if name.startswith(FAULT) and route.get("match") == lane_match(lane_key, lane) else None


def _hit(http: Sequence[Document], lane: str, lane_key: str) -> list[bool]:
    """For each route whether a fault for everybody (`lane` is empty), for base or for a lane goes into it."""
    found: list[bool] = []
    for route, of in zip(http, copies(http, lane_key), strict=True):
        own = owner_of(route, lane_key)
        whose = of or (own.lane if own is not None else BASE)
        shut = route.get("name") == CLOSED or (own is not None and own.strict)
        found.append(bool(route.get("route")) and not shut and lane in ("", whose))
    return found


def _with_route_of(
    landscape: Landscape, http: list[Document], service: Known, key: Key, lane: str
) -> list[Document]:
    lane_key = landscape.lane_key
    there = next((each for each in lanes_in(landscape) if each.name == lane), None)
    if there is None:
        known = ", ".join(each.name for each in lanes_in(landscape)) or "none"
        raise LaneError(f"There is no lane {lane!r}; there are {known}.")
    if any(_hit(http, lane, lane_key)):
        return http
    if there.mode is Mode.STRICT and any(owns(route, lane, lane_key) for route in http):
        raise LaneError(
            f"The lane {lane} is strict and has no version of {service.name}, so its calls fail already."
        )
    base = base_of(http, service, key, lane_key)
    if not base.in_force.get("route"):
        raise LaneError(f"The base route of {key} leads to no service, so there is nothing to disturb.")
    rest = {field: value for field, value in base.in_force.items() if field not in ("name", "fault")}
    copy = {"name": f"{FAULT}{lane}", "match": lane_match(lane_key, lane), **rest}
    place = base.place if base.pin is None else base.pin
    return [*http[:place], copy, *http[place:]]


def _with_open_base(http: list[Document], service: Known, key: Key, lane_key: str) -> list[Document]:
    """The routes with base below the pin that stands for it: a pin goes with the last lane, and its fault."""
    found: list[Document] = []
    for place, route in enumerate(http):
        found.append(route)
        if is_pin(route) and not route.get("match"):
            base = base_of(http[place:], service, key, lane_key)
            if base.pin == base.place:
                found.append(open_base(key, service))
    return found


def lane_match(lane_key: str, lane: str) -> list[Document]:
    """What a route asks for that is to take the calls of a lane."""
    return [{"headers": {HEADER: {"regex": lane_regex(lane_key, lane)}}}]
