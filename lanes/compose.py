"""Lanes merged into the objects that are there, and taken out again. Pure.

What belongs to lanes is told by how it is written (`own`, and `base` for the routes that keep base off the
versions of lanes). All else is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from lanes.baggage import HEADER
from lanes.base import is_open, is_pin, pins, shares_of
from lanes.expiry import with_expiry
from lanes.landscape import (
    DESTINATION_RULE,
    VIRTUAL_SERVICE,
    Document,
    Key,
    Known,
    Landscape,
    LaneError,
    annotated,
    destination_rules_for,
    maps,
    replaced,
    spec_of,
    subsets_of,
    version_of,
    virtual_service_for,
)
from lanes.own import (
    PREFIX,
    STRICT,
    blank_destination_rule,
    blank_virtual_service,
    is_lane_subset,
    lane_subset,
    lanes_in,
    open_base,
    owner_of,
    owns,
    routes_of,
)
from lanes.render import lane_regex
from lanes.spec import Lane, Mode
from lanes.sweep import swept


def put(landscape: Landscape, lane: Lane) -> Landscape:
    """The landscape with this lane as given, whether it was there or not."""
    for name in lane.versions:
        landscape.service(name)
    for service in landscape.services:
        landscape = _put_service(landscape, service, lane)
    return swept(landscape)


def drop(landscape: Landscape, name: str) -> Landscape:
    """The landscape without this lane."""
    for service in landscape.services:
        if any(owns(route, name, landscape.lane_key) for route in routes_of(landscape, service)):
            landscape = _with_routes(landscape, service, name, [])
    return swept(landscape)


def restore(landscape: Landscape, lanes: Iterable[Lane]) -> Landscape:
    """The landscape with exactly these lanes; those that are there already are left as they are."""
    wanted = {lane.name: lane for lane in lanes}
    there = {lane.name: lane for lane in lanes_in(landscape)}
    for name in there.keys() - wanted.keys():
        landscape = drop(landscape, name)
    for name, lane in sorted(wanted.items()):
        if there.get(name) != lane:
            landscape = put(landscape, lane)
    return landscape


def _put_service(landscape: Landscape, service: Known, lane: Lane) -> Landscape:
    version = lane.versions.get(service.name)
    had = any(owns(route, lane.name, landscape.lane_key) for route in routes_of(landscape, service))
    if version is None and lane.mode is Mode.PERMISSIVE and not had:
        return landscape
    landscape, key = _with_virtual_service(landscape, service)
    routes: list[Document] = []
    if version is not None:
        landscape = _with_base_pinned(landscape, service, key)
        landscape, subset = _with_subset(landscape, service, version)
        routes.append(_route(landscape, service, key, lane.name, subset))
    if lane.mode is Mode.STRICT:
        routes.append(_strict_route(landscape, service, key, lane.name))
    return _with_routes(landscape, service, lane.name, routes, lane.expires)


def _match(lane_key: str, lane: str) -> list[Document]:
    return [{"headers": {HEADER: {"regex": lane_regex(lane_key, lane)}}}]


def _route(landscape: Landscape, service: Known, key: Key, lane: str, subset: str) -> Document:
    return {
        "name": f"{PREFIX}{lane}",
        "match": _match(landscape.lane_key, lane),
        "route": [{"destination": service.destination(key.namespace, subset)}],
    }


def _strict_route(landscape: Landscape, service: Known, key: Key, lane: str) -> Document:
    # Istio wants a destination even where every call is aborted. The whole service: a client that skips
    # routes without a usable endpoint would skip one to the lane's own version, and serve it from base.
    return {
        "name": f"{PREFIX}{lane}{STRICT}",
        "match": _match(landscape.lane_key, lane),
        "fault": {"abort": {"percentage": {"value": 100}, "grpcStatus": "UNAVAILABLE"}},
        "route": [{"destination": service.destination(key.namespace)}],
    }


def _with_routes(
    landscape: Landscape, service: Known, lane: str, routes: list[Document], expires: str = ""
) -> Landscape:
    """The landscape with these as the lane's routes of a service, above all that are no lane's."""
    key = virtual_service_for(landscape, service)
    if key is None:
        return landscape
    document = landscape.objects[key]
    there: list[tuple[str, bool, Document]] = []
    others: list[Document] = []
    before: dict[bool, Document] = {}
    for route in spec_of(document)["http"]:
        own = owner_of(route, landscape.lane_key) if isinstance(route, dict) else None
        if own is None:
            others.append(route)
        elif own.lane == lane:
            before[own.strict] = route
        else:
            there.append((own.lane, own.strict, route))
    for route in routes:
        strict = "fault" in route
        # What somebody has added to a lane's route, a timeout, say, stays for as long as it leads there.
        old = before.get(strict)
        same = old is not None and old.get("route") == route["route"]
        there.append((lane, strict, old if same and old is not None else route))
    ordered = [route for _, _, route in sorted(there, key=lambda entry: entry[:2])]
    http = [*ordered, *others]
    end = expires if routes else ""
    metadata = annotated(document["metadata"], lambda annotations: with_expiry(annotations, lane, end))
    spec = {**spec_of(document), "http": http}
    return replaced(landscape, key, {**document, "metadata": metadata, "spec": spec})


def _with_virtual_service(landscape: Landscape, service: Known) -> tuple[Landscape, Key]:
    key = virtual_service_for(landscape, service)
    if key is not None:
        return landscape, key
    key = free_key(landscape, VIRTUAL_SERVICE, service)
    return replaced(landscape, key, blank_virtual_service(key, service)), key


def _with_base_pinned(landscape: Landscape, service: Known, key: Key) -> Landscape:
    """The landscape with base kept to the versions that serve it now; what is pinned stays as it is."""
    http: list[object] = []
    for route in spec_of(landscape.objects[key])["http"]:
        pinned = bool(http) and is_pin(http[-1])
        if not pinned and _lets_in_lanes(landscape, service, key, route):
            landscape, shares = _base_shares(landscape, service)
            http += pins(route, service, key.namespace, shares)
            if route == open_base(key, service):
                continue  # as lanes write it, so they know it when it is to come back
        http.append(route)
    document = landscape.objects[key]
    return replaced(landscape, key, {**document, "spec": {**spec_of(document), "http": http}})


def _lets_in_lanes(landscape: Landscape, service: Known, key: Key, route: object) -> bool:
    if not isinstance(route, dict) or is_pin(route) or owner_of(route, landscape.lane_key) is not None:
        return False
    return is_open(route, service, key.namespace)


def _base_shares(landscape: Landscape, service: Known) -> tuple[Landscape, list[tuple[str, int]]]:
    """The landscape with a subset for every version that serves base, and these with their shares."""
    subsets = subsets_of(landscape, service).values()
    named = [version_of(subset) or "" for subset in subsets if not is_lane_subset(subset)]
    versions = shares_of(landscape.deployed.get(service.name, {}), [name for name in named if name])
    if versions is None:
        raise LaneError(
            f"No rule says which versions of {service.name} serve base, and its workloads do not tell, so "
            f"base would be served by the lane's version as well; write a VirtualService for {service.name} "
            "with a route to the subset that is base."
        )
    shares = []
    for version, share in versions:
        landscape, subset = _with_subset(landscape, service, version)
        shares.append((subset, share))
    return landscape, shares


def free_key(landscape: Landscape, kind: str, service: Known) -> Key:
    """A key for a new object, the service's own name if it can be had."""
    for name in (service.name, f"lanes-{service.name}"):
        key = Key(kind, service.namespace, name)
        if key not in landscape.objects:
            return key
    raise LaneError(
        f"The names {service.name} and lanes-{service.name} of a {kind} are both taken by other hosts'."
    )


def _with_subset(landscape: Landscape, service: Known, version: str) -> tuple[Landscape, str]:
    """The landscape with a subset of this version, and its name; one that somebody wrote will do."""
    subsets = subsets_of(landscape, service)
    ours = lane_subset(version)
    named = [name for name, subset in subsets.items() if version_of(subset) == version]
    if named:
        return landscape, next((name for name in named if name != ours), ours)
    if ours in subsets:
        raise LaneError(f"The subset {ours} of {service.name} selects something else than version {version}.")
    fresh = {"name": ours, "labels": {"version": version}}
    keys = destination_rules_for(landscape, service)
    if not keys:
        key = free_key(landscape, DESTINATION_RULE, service)
        return replaced(landscape, key, blank_destination_rule(key, service, [fresh])), ours
    document = landscape.objects[keys[0]]
    there = maps(spec_of(document).get("subsets"))
    written = [subset for subset in there if not is_lane_subset(subset)]
    added = sorted([*filter(is_lane_subset, there), fresh], key=lambda subset: str(subset["name"]))
    spec = {**spec_of(document), "subsets": [*written, *added]}
    return replaced(landscape, keys[0], {**document, "spec": spec}), ours
