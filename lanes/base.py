"""Base kept off the versions of lanes, at a service whose rules let any version serve it. Pure.

Without a route to a subset every workload of a service serves base, also one that was started for a lane. So
above each such route goes one of lanes' own, for as long as a lane has a version of the service; it leads to
the versions that served base before. Where it asks for a match, a client that goes on with the next route
must not get past it, so one more fails what those versions cannot serve; without a match nothing comes after
it anyway. What somebody has written stays below, as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lanes.context import BASE
from lanes.landscape import Document, Known, maps, resolved

PINNED = f"lanes-{BASE}"
CLOSED = f"{PINNED}-closed"
_HUNDRED = 100


def is_pin(route: object) -> bool:
    """Whether a route is one of these; no lane can be called base, so none of a lane's has such a name."""
    return isinstance(route, dict) and route.get("name") in (PINNED, CLOSED)


def is_open(route: object, service: Known, namespace: str) -> bool:
    """Whether a route leads to any version of the service."""
    entries = maps(route.get("route")) if isinstance(route, dict) else []
    return any(_is_open_entry(entry, service, namespace) for entry in entries)


def pins(
    route: Document, service: Known, namespace: str, shares: Sequence[tuple[str, int]]
) -> list[Document]:
    """What goes above an open route: the same to these subsets by share; with a match, also what ends it."""
    entries = maps(route["route"])
    found: list[Document] = []
    for entry in entries:
        if not _is_open_entry(entry, service, namespace):
            found.append(entry)
            continue
        weight = int(entry.get("weight") or (_HUNDRED if len(entries) == 1 else 0))
        for subset, share in split(weight, shares):
            destination = {**entry["destination"], "subset": subset}
            # The port comes last, as in every other route of lanes.
            if "port" in destination:
                destination["port"] = destination.pop("port")
            found.append({**entry, "destination": destination, "weight": share})
    if len(found) == 1:
        found = [{name: value for name, value in found[0].items() if name != "weight"}]
    rest = {name: value for name, value in route.items() if name not in ("name", "route")}
    pinned = {"name": PINNED, **rest, "route": found}
    if not route.get("match"):
        return [pinned]
    closed = {
        "name": CLOSED,
        "match": route["match"],
        "fault": {"abort": {"percentage": {"value": _HUNDRED}, "grpcStatus": "UNAVAILABLE"}},
        "route": [{"destination": entries[0]["destination"]}],
    }
    return [pinned, closed]


def split(weight: int, shares: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """A weight in whole parts by share, to the last one; what gets no part is left out."""
    total, done, given = sum(share for _, share in shares), 0, 0
    found: list[tuple[str, int]] = []
    for name, share in shares:
        done += share
        part = round(weight * done / total) - given
        given += part
        if part:
            found.append((name, part))
    return found


def shares_of(deployed: Mapping[str, int], named: Sequence[str]) -> list[tuple[str, int]] | None:
    """Which versions serve base, by number of workloads; those that rules name where none is known to run.

    None where that cannot be told: nothing is known, or there are workloads that tell no version.
    """
    if "" in deployed:
        return None
    return sorted(deployed.items()) or [(version, 1) for version in sorted(set(named))] or None


def _is_open_entry(entry: Document, service: Known, namespace: str) -> bool:
    destination = entry.get("destination") or {}
    return not destination.get("subset") and resolved(destination.get("host"), namespace) == service.host
