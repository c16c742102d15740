"""What belongs to lanes, told by how it is written, so that no book has to be kept. Pure.

A route named `lane-NAME` or `lane-NAME-strict` that matches that lane's baggage, a subset named
`lane-VERSION` that selects that version, and an object that holds nothing but what lanes give to a service
without one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lanes.baggage import HEADER
from lanes.context import BASE
from lanes.expiry import expiry_in
from lanes.landscape import (
    Document,
    Key,
    Known,
    Landscape,
    LaneError,
    maps,
    spec_of,
    subsets_of,
    version_of,
    virtual_service_for,
)
from lanes.render import API_VERSION, MANAGED_BY, lane_regex, subset_name
from lanes.spec import Lane, Mode, lane_name_fault, version_fault

PREFIX = "lane-"
STRICT = "-strict"
FAULT = "fault-"
"""A route that is no lane's, for all that it matches one: base with a fault, for a lane without a version."""
_MAX_LABEL = 63


@dataclass(frozen=True, slots=True)
class Own:
    """Whose route this is: a lane's, either to its version or the one that makes it strict."""

    lane: str
    strict: bool


def owner_of(route: Document, lane_key: str) -> Own | None:
    """Which lane a route belongs to; None for a route of somebody else."""
    name = str(route.get("name") or "")
    rest = name.removeprefix(PREFIX)
    matches = maps(route.get("match"))
    if rest == name or not matches:
        return None
    # `lane-dev-strict` is of the lane dev-strict or makes dev strict: what it matches tells.
    candidates = [Own(rest, False)]
    if rest.endswith(STRICT):
        candidates.append(Own(rest.removesuffix(STRICT), True))
    for own in candidates:
        regex = lane_regex(lane_key, own.lane)
        if lane_name_fault(own.lane) is None and all(_baggage_regex(match) == regex for match in matches):
            return own
    return None


def owns(route: Document, lane: str, lane_key: str) -> bool:
    own = owner_of(route, lane_key)
    return own is not None and own.lane == lane


def _baggage_regex(match: Document) -> object:
    headers = match.get("headers")
    header = headers.get(HEADER) if isinstance(headers, dict) else None
    return header.get("regex") if isinstance(header, dict) else None


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
        found = version_of(subsets_of(landscape, service).get(subset)) or subset.removeprefix(PREFIX)
        return found if version_fault(found) is None else BASE
    return BASE


def lane_subset(version: str) -> str:
    """The name of the subset that lanes make for a version."""
    name = f"{PREFIX}{subset_name(version)}"
    if subset_name(version) == version and len(name) <= _MAX_LABEL:
        return name
    # Subset names are DNS labels, versions need not be: two versions must never share a name.
    digest = hashlib.sha256(version.encode()).hexdigest()[:8]
    return f"{name[: _MAX_LABEL - 9].rstrip('-')}-{digest}"


def is_lane_subset(subset: Document) -> bool:
    version = version_of(subset)
    return version is not None and subset == {"name": lane_subset(version), "labels": {"version": version}}


def blank_virtual_service(key: Key, service: Known) -> Document:
    """What a service without a VirtualService gets: every call goes where it went before."""
    spec = {"hosts": [service.written_in(key.namespace)], "http": [open_base(key, service)]}
    return _blank(key, spec)


def open_base(key: Key, service: Known) -> Document:
    return {"name": BASE, "route": [{"destination": service.destination(key.namespace)}]}


def blank_destination_rule(key: Key, service: Known, subsets: list[Document]) -> Document:
    return _blank(key, {"host": service.written_in(key.namespace), "subsets": subsets})


def _blank(key: Key, spec: Document) -> Document:
    metadata = {"name": key.name, "namespace": key.namespace, "labels": dict(MANAGED_BY)}
    return {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "spec": spec}


def is_as_made(document: Document, blank: Document) -> bool:
    """Whether an object is as lanes made it, whenever that was."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "creationTimestamp"}
    return {**document, "metadata": metadata} == blank
