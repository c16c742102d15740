"""The rules of one service: its VirtualService, the routes in it that no lane owns, its subsets. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lanes.base import is_open, is_pin
from lanes.compose import free_key
from lanes.context import BASE
from lanes.landscape import (
    DESTINATION_RULE,
    VIRTUAL_SERVICE,
    Document,
    Key,
    Known,
    Landscape,
    LaneError,
    destination_rules_for,
    maps,
    replaced,
    spec_of,
    subsets_of,
    version_of,
    virtual_service_for,
)
from lanes.own import is_lane_subset, open_base, owner_of
from lanes.render import API_VERSION, subset_name


@dataclass(frozen=True, slots=True)
class Base:
    """Where calls that ask for nothing go: the first route without a match that is no lane's.

    `pin` is the place of the route that lanes have put above it, or in its stead, to keep their versions out.
    """

    place: int
    pin: int | None
    route: Document
    """The one that is written; `in_force` is the pin where there is one."""
    in_force: Document


def routed(landscape: Landscape, name: str) -> Known:
    """The service of this name; LaneError where there is none, or where no rule of the mesh counts for it."""
    service = landscape.service(name)
    if service.door:
        raise LaneError(f"{name} is called from outside the mesh, where no rule routes.")
    return service


def with_virtual_service(landscape: Landscape, service: Known) -> tuple[Landscape, Key]:
    """The landscape with a VirtualService of this service, which sends calls where they went before."""
    key = virtual_service_for(landscape, service)
    if key is not None:
        return landscape, key
    key = free_key(landscape, VIRTUAL_SERVICE, service)
    spec = {"hosts": [service.written_in(key.namespace)], "http": [open_base(key, service)]}
    return replaced(landscape, key, _made(key, spec)), key


def with_routes(landscape: Landscape, key: Key, http: list[Document]) -> Landscape:
    """The landscape with these as all routes of a VirtualService."""
    document = landscape.objects[key]
    return replaced(landscape, key, {**document, "spec": {**spec_of(document), "http": http}})


def routes_at(landscape: Landscape, key: Key) -> list[Document]:
    """The http routes of a VirtualService."""
    return maps(spec_of(landscape.objects[key]).get("http"))


def base_of(http: list[Document], service: Known, key: Key, lane_key: str) -> Base:
    """The base among routes; LaneError where none takes what asks for nothing."""
    for place, route in enumerate(http):
        if route.get("match") or owner_of(route, lane_key) is not None:
            continue
        if not is_pin(route):
            return Base(place, None, route, route)
        below = http[place + 1] if place + 1 < len(http) else {}
        if not below.get("match") and is_open(below, service, key.namespace):
            return Base(place + 1, place, below, route)
        return Base(place, place, route, route)
    raise LaneError(f"No route of {key} takes the calls that ask for nothing, so {service.name} has no base.")


def with_subset(landscape: Landscape, service: Known, version: str) -> tuple[Landscape, str]:
    """The landscape with a subset of this version that is no lane's own, and its name."""
    subsets = subsets_of(landscape, service)
    for name, subset in subsets.items():
        if version_of(subset) == version and not is_lane_subset(subset):
            return landscape, name
    name = subset_name(version)
    if name in subsets:
        raise LaneError(f"The subset {name} of {service.name} selects something else than version {version}.")
    fresh = {"name": name, "labels": {"version": version}}
    keys = destination_rules_for(landscape, service)
    if not keys:
        key = free_key(landscape, DESTINATION_RULE, service)
        spec: Document = {"host": service.written_in(key.namespace), "subsets": [fresh]}
        return replaced(landscape, key, _made(key, spec)), name
    document = landscape.objects[keys[0]]
    there = maps(spec_of(document).get("subsets"))
    written = [subset for subset in there if not is_lane_subset(subset)]
    lanes = [subset for subset in there if is_lane_subset(subset)]
    spec = {**spec_of(document), "subsets": [*written, fresh, *lanes]}
    return replaced(landscape, keys[0], {**document, "spec": spec}), name


def unpinned(route: Document) -> Document:
    """What stands in a pin's stead as a route that somebody wrote."""
    return {"name": BASE, **{name: value for name, value in route.items() if name != "name"}}


def _made(key: Key, spec: Document) -> Document:
    metadata = {"name": key.name, "namespace": key.namespace}
    return {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "spec": spec}
