"""The shares of a service's base: read from its rules, and set in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from console.acting.faults import copies
from console.acting.service_rules import (
    base_of,
    routed,
    routes_at,
    unpinned,
    with_routes,
    with_subset,
    with_virtual_service,
)
from lanes.base import is_pin
from lanes.landscape import (
    Document,
    Key,
    Known,
    Landscape,
    LaneError,
    maps,
    resolved,
    subsets_of,
    version_of,
    virtual_service_for,
)
from lanes.own import is_lane_subset

_INSTEAD = ("redirect", "directResponse", "delegate")


def weights_of(landscape: Landscape, name: str) -> dict[str, int]:
    """The shares of a service's base in percent by version; LaneError says why it has none."""
    service = routed(landscape, name)
    key = virtual_service_for(landscape, service)
    if key is None:
        raise LaneError(f"No rule says which versions of {name} serve base: any of them does.")
    base = base_of(routes_at(landscape, key), service, key, landscape.lane_key)
    entries = _entries(landscape, service, key, base.in_force)
    if None in entries:
        raise LaneError(f"The base of {name} leads to any version.")
    only = len(entries) == 1
    return {
        version: 100 if only else int(entry.get("weight") or 0)
        for version, entry in entries.items()
        if version is not None
    }


def set_weights(landscape: Landscape, name: str, weights: Mapping[str, int]) -> Landscape:
    """The landscape with these as the shares of a service's base; what is sent to 0 is left out.

    LaneError where the base is anything but a choice among versions by weight.
    """
    service = routed(landscape, name)
    landscape, key = with_virtual_service(landscape, service)
    http = routes_at(landscape, key)
    base = base_of(http, service, key, landscape.lane_key)
    _entries(landscape, service, key, base.route)
    old = _entries(landscape, service, key, base.in_force)
    wanted = [version for version in old if version is not None and weights.get(version)]
    wanted += sorted(version for version, weight in weights.items() if weight and version not in old)
    route: list[Document] = []
    for version in wanted:
        entry = old.get(version)
        if entry is None or is_lane_subset(_subset(landscape, service, entry)):
            landscape, subset = with_subset(landscape, service, version)
            like = entry or next(iter(old.values()))
            entry = {**(entry or {}), "destination": _destination(like, subset)}
        route.append({**entry, "weight": weights[version]})
    if len(route) == 1:
        route = [{field: value for field, value in route[0].items() if field != "weight"}]
    fresh = {**(unpinned(base.route) if is_pin(base.route) else base.route), "route": route}
    found: list[Document] = []
    for place, (there, copied) in enumerate(zip(http, copies(http, landscape.lane_key), strict=True)):
        if place == base.place:
            found.append(fresh)
        elif place == base.pin or (copied is not None and is_pin(there)):
            continue  # base, and what copies it, names its versions itself now
        elif copied is not None:
            found.append({**there, "route": route})
        else:
            found.append(there)
    return with_routes(landscape, key, found)


def _entries(landscape: Landscape, service: Known, key: Key, route: Document) -> dict[str | None, Document]:
    """The destinations of a route by version, None for any; LaneError where they are no plain choice."""
    what = f"The base route of {key}"
    for field in _INSTEAD:
        if route.get(field):
            raise LaneError(f"{what} has a {field}, so it cannot be weighed; edit its YAML.")
    subsets, found = subsets_of(landscape, service), dict[str | None, Document]()
    for entry in maps(route.get("route")):
        destination = entry.get("destination") or {}
        if resolved(destination.get("host"), key.namespace) != service.host:
            raise LaneError(f"{what} leads to {destination.get('host')}, too; edit its YAML.")
        subset = destination.get("subset")
        version = version_of(subsets.get(str(subset))) if subset else None
        if subset and version is None:
            raise LaneError(f"{what} leads to the subset {subset}, which is not one version; edit its YAML.")
        if version in found:
            raise LaneError(f"{what} leads to {version or 'any version'} twice; edit its YAML.")
        found[version] = entry
    if not found:
        raise LaneError(f"{what} leads nowhere, so it cannot be weighed; edit its YAML.")
    if None in found and len(found) > 1:
        raise LaneError(f"{what} leads to any version beside those it names; edit its YAML.")
    return found


def _subset(landscape: Landscape, service: Known, entry: Document) -> Document:
    return subsets_of(landscape, service).get(str(entry["destination"].get("subset")), {})


def _destination(like: Document, subset: str) -> Document:
    """The same place as another destination, at another subset; the port comes last, as lanes write it."""
    there = like["destination"]
    rest = {name: value for name, value in there.items() if name not in ("host", "subset")}
    return {"host": there["host"], "subset": subset, **rest}
