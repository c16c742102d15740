"""Lanes merged into the objects that are there, and taken out again. Pure.

What belongs to lanes is told by how it is written, so no book has to be kept: a route named `lane-NAME` or
`lane-NAME-strict` that matches that lane's baggage, the routes that keep base off the versions of lanes
(`base`), a subset named `lane-VERSION` that selects that version, and an object that holds nothing but what
lanes give to a service without one. All else is left as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lanes.baggage import HEADER
from lanes.base import is_open, is_pin, pins, shares_of
from lanes.context import BASE
from lanes.expiry import expiry_in, of_lanes, with_expiry
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
    resolved,
    spec_of,
    subsets_of,
    version_of,
    virtual_service_for,
)
from lanes.render import API_VERSION, MANAGED_BY, lane_regex, subset_name
from lanes.spec import Lane, Mode, lane_name_fault, version_fault

_PREFIX = "lane-"
_STRICT = "-strict"
_MAX_LABEL = 63


@dataclass(frozen=True, slots=True)
class Own:
    """Whose route this is: a lane's, either to its version or the one that makes it strict."""

    lane: str
    strict: bool


def owner_of(route: Document, lane_key: str) -> Own | None:
    """Which lane a route belongs to; None for a route of somebody else."""
    name = str(route.get("name") or "")
    rest = name.removeprefix(_PREFIX)
    matches = maps(route.get("match"))
    if rest == name or not matches:
        return None
    # `lane-dev-strict` is of the lane dev-strict or makes dev strict: what it matches tells.
    candidates = [Own(rest, False)]
    if rest.endswith(_STRICT):
        candidates.append(Own(rest.removesuffix(_STRICT), True))
    for own in candidates:
        regex = lane_regex(lane_key, own.lane)
        if lane_name_fault(own.lane) is None and all(_baggage_regex(match) == regex for match in matches):
            return own
    return None


def lanes_in(landscape: Landscape) -> tuple[Lane, ...]:
    """The lanes that the objects hold, by name."""
    versions: dict[str, dict[str, str]] = {}
    strict: set[str] = set()
    expires: dict[str, str] = {}
    for service in landscape.services:
        annotations = _annotations_of(landscape, service)
        for route in routes_of(landscape, service):
            own = owner_of(route, landscape.lane_key)
            if own is None:
                continue
            held = versions.setdefault(own.lane, {})
            # Should they differ, the last one counts: nobody's lane ends too early.
            expires[own.lane] = max(expires.get(own.lane, ""), expiry_in(annotations, own.lane))
            if own.strict:
                strict.add(own.lane)
            else:
                held[service.name] = version_at(landscape, service, route)
    return tuple(
        Lane(name, held, Mode.STRICT if name in strict else Mode.PERMISSIVE, expires[name])
        for name, held in sorted(versions.items())
    )


def routes_of(landscape: Landscape, service: Known) -> list[Document]:
    """The http routes of a service; none where it has no VirtualService to itself."""
    document = _virtual_service_of(landscape, service)
    return maps(spec_of(document).get("http")) if document is not None else []


def _annotations_of(landscape: Landscape, service: Known) -> dict[str, str]:
    document = _virtual_service_of(landscape, service)
    return (document["metadata"].get("annotations") or {}) if document is not None else {}


def _virtual_service_of(landscape: Landscape, service: Known) -> Document | None:
    try:
        key = virtual_service_for(landscape, service)
    except LaneError:
        return None
    return landscape.objects[key] if key is not None else None


def version_at(landscape: Landscape, service: Known, route: Document) -> str:
    """The version a route leads to, as its subset says; the subset's own name where that is gone."""
    for entry in maps(route.get("route")):
        subset = str((entry.get("destination") or {}).get("subset") or "")
        found = version_of(subsets_of(landscape, service).get(subset)) or subset.removeprefix(_PREFIX)
        return found if version_fault(found) is None else BASE
    return BASE


def put(landscape: Landscape, lane: Lane) -> Landscape:
    """The landscape with this lane as given, whether it was there or not."""
    for name in lane.versions:
        landscape.service(name)
    for service in landscape.services:
        landscape = _put_service(landscape, service, lane)
    return _swept(landscape)


def drop(landscape: Landscape, name: str) -> Landscape:
    """The landscape without this lane."""
    for service in landscape.services:
        if any(_owns(route, name, landscape.lane_key) for route in routes_of(landscape, service)):
            landscape = _with_routes(landscape, service, name, [])
    return _swept(landscape)


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
    had = any(_owns(route, lane.name, landscape.lane_key) for route in routes_of(landscape, service))
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
        "name": f"{_PREFIX}{lane}",
        "match": _match(landscape.lane_key, lane),
        "route": [{"destination": service.destination(key.namespace, subset)}],
    }


def _strict_route(landscape: Landscape, service: Known, key: Key, lane: str) -> Document:
    # Istio wants a destination even where every call is aborted. The whole service: a client that skips
    # routes without a usable endpoint would skip one to the lane's own version, and serve it from base.
    return {
        "name": f"{_PREFIX}{lane}{_STRICT}",
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
    metadata = _annotated(document["metadata"], lambda annotations: with_expiry(annotations, lane, end))
    spec = {**spec_of(document), "http": http}
    return _replaced(landscape, key, {**document, "metadata": metadata, "spec": spec})


def _annotated(metadata: Document, change: Callable[[dict[str, str]], dict[str, str]]) -> Document:
    before = metadata.get("annotations") or {}
    after = change(before)
    if after == before:
        return metadata
    if after:
        return {**metadata, "annotations": after}
    return {name: value for name, value in metadata.items() if name != "annotations"}


def _with_virtual_service(landscape: Landscape, service: Known) -> tuple[Landscape, Key]:
    key = virtual_service_for(landscape, service)
    if key is not None:
        return landscape, key
    key = _free(landscape, VIRTUAL_SERVICE, service)
    return _replaced(landscape, key, _blank_virtual_service(key, service)), key


def _with_base_pinned(landscape: Landscape, service: Known, key: Key) -> Landscape:
    """The landscape with base kept to the versions that serve it now; what is pinned stays as it is."""
    http: list[object] = []
    for route in spec_of(landscape.objects[key])["http"]:
        pinned = bool(http) and is_pin(http[-1])
        if not pinned and _lets_in_lanes(landscape, service, key, route):
            landscape, shares = _base_shares(landscape, service)
            http += pins(route, service, key.namespace, shares)
            if route == _open_base(key, service):
                continue  # as lanes write it, so they know it when it is to come back
        http.append(route)
    document = landscape.objects[key]
    return _replaced(landscape, key, {**document, "spec": {**spec_of(document), "http": http}})


def _lets_in_lanes(landscape: Landscape, service: Known, key: Key, route: object) -> bool:
    if not isinstance(route, dict) or is_pin(route) or owner_of(route, landscape.lane_key) is not None:
        return False
    return is_open(route, service, key.namespace)


def _base_shares(landscape: Landscape, service: Known) -> tuple[Landscape, list[tuple[str, int]]]:
    """The landscape with a subset for every version that serves base, and these with their shares."""
    subsets = subsets_of(landscape, service).values()
    named = [version_of(subset) or "" for subset in subsets if not _is_lane_subset(subset)]
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


def _blank_virtual_service(key: Key, service: Known) -> Document:
    """What a service without a VirtualService gets: every call goes where it went before."""
    spec = {"hosts": [service.written_in(key.namespace)], "http": [_open_base(key, service)]}
    return _blank(key, spec)


def _open_base(key: Key, service: Known) -> Document:
    return {"name": BASE, "route": [{"destination": service.destination(key.namespace)}]}


def _blank_destination_rule(key: Key, service: Known, subsets: list[Document]) -> Document:
    return _blank(key, {"host": service.written_in(key.namespace), "subsets": subsets})


def _blank(key: Key, spec: Document) -> Document:
    metadata = {"name": key.name, "namespace": key.namespace, "labels": dict(MANAGED_BY)}
    return {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "spec": spec}


def _is(document: Document, blank: Document) -> bool:
    """Whether an object is as lanes made it, whenever that was."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "creationTimestamp"}
    return {**document, "metadata": metadata} == blank


def _free(landscape: Landscape, kind: str, service: Known) -> Key:
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
        key = _free(landscape, DESTINATION_RULE, service)
        return _replaced(landscape, key, _blank_destination_rule(key, service, [fresh])), ours
    document = landscape.objects[keys[0]]
    there = maps(spec_of(document).get("subsets"))
    written = [subset for subset in there if not _is_lane_subset(subset)]
    added = sorted([*filter(_is_lane_subset, there), fresh], key=lambda subset: str(subset["name"]))
    spec = {**spec_of(document), "subsets": [*written, *added]}
    return _replaced(landscape, keys[0], {**document, "spec": spec}), ours


def lane_subset(version: str) -> str:
    """The name of the subset that lanes make for a version."""
    name = f"{_PREFIX}{subset_name(version)}"
    if subset_name(version) == version and len(name) <= _MAX_LABEL:
        return name
    # Subset names are DNS labels, versions need not be: two versions must never share a name.
    digest = hashlib.sha256(version.encode()).hexdigest()[:8]
    return f"{name[: _MAX_LABEL - 9].rstrip('-')}-{digest}"


def _is_lane_subset(subset: Document) -> bool:
    version = version_of(subset)
    return version is not None and subset == {"name": lane_subset(version), "labels": {"version": version}}


def _swept(landscape: Landscape) -> Landscape:
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
        if _is(landscape.objects[found], _blank_virtual_service(found, service)):
            landscape = _without(landscape, found)
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
            http.append(_open_base(key, service))
    return _replaced(landscape, key, {**document, "spec": {**spec_of(document), "http": http}})


def _sweep_ends(landscape: Landscape, service: Known, key: Key) -> Landscape:
    """Without the ends of lanes whose routes somebody has taken out by hand."""
    document = landscape.objects[key]
    owners = [owner_of(route, landscape.lane_key) for route in routes_of(landscape, service)]
    there = {own.lane for own in owners if own is not None}
    metadata = _annotated(document["metadata"], lambda annotations: of_lanes(annotations, there))
    return _replaced(landscape, key, {**document, "metadata": metadata})


def _sweep_subsets(landscape: Landscape, service: Known, key: Key) -> Landscape:
    document = landscape.objects[key]
    there = spec_of(document).get("subsets")
    if not isinstance(there, list) or not any(_is_lane_subset(subset) for subset in maps(there)):
        return landscape
    used = _subsets_in_use(landscape, service)
    left = [s for s in there if not (isinstance(s, dict) and _is_lane_subset(s) and s["name"] not in used)]
    if len(left) == len(there):
        return landscape
    if not left and _is(document, _blank_destination_rule(key, service, there)):
        return _without(landscape, key)
    spec = {**spec_of(document), "subsets": left}
    if not left:
        del spec["subsets"]
    return _replaced(landscape, key, {**document, "spec": spec})


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


def _owns(route: Document, lane: str, lane_key: str) -> bool:
    own = owner_of(route, lane_key)
    return own is not None and own.lane == lane


def _baggage_regex(match: Document) -> object:
    headers = match.get("headers")
    header = headers.get(HEADER) if isinstance(headers, dict) else None
    return header.get("regex") if isinstance(header, dict) else None


def _replaced(landscape: Landscape, key: Key, document: Document) -> Landscape:
    return replace(landscape, objects={**landscape.objects, key: document})


def _without(landscape: Landscape, key: Key) -> Landscape:
    return replace(landscape, objects={k: d for k, d in landscape.objects.items() if k != key})
