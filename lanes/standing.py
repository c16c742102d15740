"""Where the requests of a lane go at each service, as its rules and workloads have it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lanes.landscape import Document, Known, Landscape, maps, subsets_of, version_of
from lanes.own import owner_of, routes_of
from lanes.spec import Lane
from lanes.store import Member, Seen


@dataclass(frozen=True, slots=True)
class Standing:
    """One service as a lane sees it."""

    service: str
    version: str | None
    """The lane's own version, None if it has none."""
    members: tuple[Member, ...]
    strict: bool
    base: str
    grpc: bool = True
    """Whether it speaks gRPC; else the lane is for callers over `proxyless.http` alone."""
    door: bool = False
    """Whether it is called from outside the mesh, where nobody routes by lane."""

    @property
    def ready(self) -> int:
        """How many workloads of the lane's version can be called."""
        return sum(member.ready for member in self.members)

    @property
    def served_by(self) -> str:
        """Who gets the lane's requests now."""
        if self.door:
            return "all of its versions: it is called from outside the mesh, where no lane routes"
        callers = "" if self.grpc else " (from callers over proxyless.http)"
        if self.version is not None and self.ready:
            return f"{self.service} {self.version}{callers}"
        return f"nobody: the lane is strict{callers}" if self.strict else f"base: {self.base}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "service": self.service,
            "version": self.version,
            "ready": self.ready,
            "members": [
                {
                    "name": member.name,
                    "address": member.address,
                    "state": member.state,
                    "ready": member.ready,
                    "command": member.command,
                }
                for member in self.members
            ],
            "strict": self.strict,
            "servedBy": self.served_by,
            "base": self.base,
        }


def standings(seen: Seen, lane: Lane) -> list[Standing]:
    """The lane at every service, by name."""
    return [_standing(seen, service, lane) for service in seen.landscape.services]


def ready_of(seen: Seen, lane: Lane) -> str:
    """How many of a lane's services can be called in it: `1/2`."""
    ready = sum(
        any(member.ready for member in seen.members_of(service, version))
        for service, version in lane.versions.items()
    )
    return f"{ready}/{len(lane.versions)}"


def _standing(seen: Seen, service: Known, lane: Lane) -> Standing:
    landscape = seen.landscape
    version = lane.versions.get(service.name)
    members = tuple(seen.members_of(service.name, version)) if version is not None else ()
    owners = [owner_of(route, landscape.lane_key) for route in routes_of(landscape, service)]
    strict = any(own is not None and own.lane == lane.name and own.strict for own in owners)
    base = base_of(landscape, service)
    return Standing(service.name, version, members, strict, base, service.grpc, service.door)


def base_of(landscape: Landscape, service: Known) -> str:
    """Where calls of no lane go: the first route that asks for nothing, in words."""
    routes = [r for r in routes_of(landscape, service) if owner_of(r, landscape.lane_key) is None]
    open_to_all = next((route for route in routes if not route.get("match")), None)
    if open_to_all is None:
        return "no route takes them" if routes else f"any {service.name}"
    asking = routes.index(open_to_all)
    words = "route before it takes" if asking == 1 else "routes before it take"
    before = f", unless {asking} {words} them" if asking else ""
    return f"{_destinations(landscape, service, open_to_all)}{before}"


def _destinations(landscape: Landscape, service: Known, route: Document) -> str:
    found: list[str] = []
    entries = maps(route.get("route"))
    for entry in entries:
        subset = (entry.get("destination") or {}).get("subset")
        version = version_of(subsets_of(landscape, service).get(str(subset))) or subset
        name = str(version) if version is not None else "any version"
        found.append(f"{name} {entry.get('weight', 0)}%" if len(entries) > 1 else name)
    return f"{service.name} {', '.join(found)}" if found else "an answer without a service"
