"""What lanes once made and no longer need, taken out again. Pure."""

from __future__ import annotations

from lanes.base import is_open, is_pin
from lanes.expiry import of_lanes
from lanes.landscape import (
    VIRTUAL_SERVICE,
    Key,
    Known,
    Landscape,
    LaneError,
    annotated,
    destination_rules_for,
    maps,
    replaced,
    resolved,
    spec_of,
    virtual_service_for,
    without,
)
from lanes.own import (
    blank_destination_rule,
    blank_virtual_service,
    is_as_made,
    is_lane_subset,
    open_base,
    owner_of,
    routes_of,
)


def swept(landscape: Landscape) -> Landscape:
    """The landscape without what lanes once made and no longer need."""
    for service in landscape.services:
        landscape = _sweep_pins(landscape, service)
        for key in destination_rules_for(landscape, service):
            landscape = _sweep_subsets(landscape, service, key)
        try:
            found = virtual_service_for(landscape, service)
        except LaneError:
            continue
        if found is None:
            continue
        landscape = _sweep_ends(landscape, service, found)
        if is_as_made(landscape.objects[found], blank_virtual_service(found, service)):
            landscape = without(landscape, found)
    return landscape


def _sweep_pins(landscape: Landscape, service: Known) -> Landscape:
    """Without what keeps base off the versions of lanes, where no lane has one any more."""
    routes = routes_of(landscape, service)
    owners = [owner_of(route, landscape.lane_key) for route in routes]
    key = virtual_service_for(landscape, service) if any(map(is_pin, routes)) else None
    if key is None or any(own is not None and not own.strict for own in owners):
        return landscape
    document = landscape.objects[key]
    before = spec_of(document)["http"]
    http: list[object] = []
    for place, route in enumerate(before):
        if not is_pin(route):
            http.append(route)
        elif not route.get("match") and not any(
            is_open(each, service, key.namespace) for each in before[place + 1 : place + 2]
        ):
            http.append(open_base(key, service))
    return replaced(landscape, key, {**document, "spec": {**spec_of(document), "http": http}})


def _sweep_ends(landscape: Landscape, service: Known, key: Key) -> Landscape:
    """Without the ends of lanes whose routes somebody has taken out by hand."""
    document = landscape.objects[key]
    owners = [owner_of(route, landscape.lane_key) for route in routes_of(landscape, service)]
    there = {own.lane for own in owners if own is not None}
    metadata = annotated(document["metadata"], lambda annotations: of_lanes(annotations, there))
    return replaced(landscape, key, {**document, "metadata": metadata})


def _sweep_subsets(landscape: Landscape, service: Known, key: Key) -> Landscape:
    document = landscape.objects[key]
    there = spec_of(document).get("subsets")
    if not isinstance(there, list) or not any(is_lane_subset(subset) for subset in maps(there)):
        return landscape
    used = _subsets_in_use(landscape, service)
    left = [s for s in there if not (isinstance(s, dict) and is_lane_subset(s) and s["name"] not in used)]
    if len(left) == len(there):
        return landscape
    if not left and is_as_made(document, blank_destination_rule(key, service, there)):
        return without(landscape, key)
    spec = {**spec_of(document), "subsets": left}
    if not left:
        del spec["subsets"]
    return replaced(landscape, key, {**document, "spec": spec})


def _subsets_in_use(landscape: Landscape, service: Known) -> set[str]:
    found: set[str] = set()
    for key, document in landscape.of_kind(VIRTUAL_SERVICE):
        spec = spec_of(document)
        routes = [route for kind in ("http", "tcp", "tls") for route in maps(spec.get(kind))]
        destinations = [entry.get("destination") for route in routes for entry in maps(route.get("route"))]
        mirrors = [route.get("mirror") for route in routes]
        mirrors += [entry.get("destination") for route in routes for entry in maps(route.get("mirrors"))]
        for destination in (*destinations, *mirrors):
            if not isinstance(destination, dict) or "subset" not in destination:
                continue
            if resolved(destination.get("host"), key.namespace) == service.host:
                found.add(str(destination["subset"]))
    return found
