"""The lanes that exist, read from the routes that this process itself would go by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import proxyless
from proxyless.resources import (
    ClusterAction,
    FaultFilter,
    Kind,
    Listener,
    Route,
    RouteConfig,
)

from lanes.own import FAULT, PREFIX, lane_subset
from lanes.render import subset_name
from telemetry.lane_labels import lanes_named

_TURN = 0.002
"""Seconds of reading after which it is somebody else's turn."""


@dataclass(frozen=True, slots=True)
class HeldLane:
    """A lane with the subset it has of each service, by the service's name, and where it aborts instead."""

    name: str
    members: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False

    def serves(self, service: str, version: str) -> bool:
        """Whether this version of the service is the lane's own, by how subsets of versions are named.

        A subset that somebody named otherwise than its version is not recognised.
        """
        return self.members.get(service) in (version, subset_name(version), lane_subset(version))

    @property
    def shown(self) -> dict[str, str]:
        """The members as people know them, by service: versions rather than subsets."""
        return {service: self.members[service].removeprefix(PREFIX) for service in sorted(self.members)}


def lanes_in(configs: Iterable[RouteConfig], key: str) -> tuple[HeldLane, ...]:
    """The lanes these routes know, by name: each route names its lane by the baggage member it matches."""
    reader = _Reader(key)
    for _ in reader.read(tuple(configs)):
        pass
    return reader.lanes


class LanesHeld:
    """The lanes of a client of the mesh as its routes are now; reads anew only those that changed."""

    def __init__(self, mesh: proxyless.Client | None, key: str) -> None:
        self._mesh = mesh
        self._reader = _Reader(key)
        self._reading = asyncio.Lock()

    @property
    def meshed(self) -> bool:
        """Whether there is a mesh that could have lanes."""
        return self._mesh is not None

    async def lanes(self) -> tuple[HeldLane, ...]:
        """The lanes that exist, by name; reading thousands of them leaves others their turns.

        Who asks while they are being read waits for that and gets the same.
        """
        async with self._reading:
            until = time.perf_counter() + _TURN
            for _ in self._reader.read(tuple(self._configs())):
                if time.perf_counter() >= until:
                    await asyncio.sleep(0)
                    until = time.perf_counter() + _TURN
            return self._reader.lanes

    def _configs(self) -> Iterator[RouteConfig]:
        if self._mesh is None:
            return
        for held in (*self._mesh.held(Kind.LISTENER).values(), *self._mesh.held(Kind.ROUTE_CONFIG).values()):
            if isinstance(held.resource, RouteConfig):
                yield held.resource
            elif isinstance(held.resource, Listener) and held.resource.route_config is not None:
                yield held.resource.route_config


class _Reader:
    """Reads routing tables, each once, a little at a time."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._said: list[tuple[RouteConfig, list[_Said]]] = []
        self.lanes: tuple[HeldLane, ...] = ()

    def read(self, configs: Sequence[RouteConfig]) -> Iterator[None]:
        """Read what is new, step by step; after the last step `lanes` is what all of these know."""
        known = {id(config): said for config, said in self._said}  # which are held, so no id is another's
        if [id(config) for config in configs] == list(known):
            return
        said: list[tuple[RouteConfig, list[_Said]]] = []
        for config in configs:
            found = known.get(id(config))
            if found is None:
                found = []
                for route in (route for host in config.virtual_hosts for route in host.routes):
                    found += _said_by(route, self._key)
                    yield
            said.append((config, found))
        members: dict[str, dict[str, str]] = {}
        strict: set[str] = set()
        for each in (each for _, found in said for each in found):
            own = members.setdefault(each.lane, {})
            if each.aborts:
                strict.add(each.lane)
            elif each.service:
                own.setdefault(each.service, each.subset)
            yield
        lanes = []
        for name in sorted(members):
            lanes.append(HeldLane(name, members[name], name in strict))
            yield
        self._said, self.lanes = said, tuple(lanes)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a route says of a lane: that it aborts, or which subset of a service it leads to, if one alone."""

    lane: str
    aborts: bool
    service: str = ""
    subset: str = ""


def _said_by(route: Route, key: str) -> Iterator[_Said]:
    for lane in () if route.name.startswith(FAULT) else lanes_named(route, key):
        # What has been injected into a lane's own route makes no lane strict.
        if _aborts_always(route) and route.name != f"{PREFIX}{lane}":
            yield _Said(lane, True)
        elif isinstance(route.action, ClusterAction) and len(route.action.clusters) == 1:
            yield _Said(lane, False, *_service_and_subset(route.action.clusters[0].name))
        else:
            yield _Said(lane, False)


def _aborts_always(route: Route) -> bool:
    return any(_is_abort(fault) for fault in route.faults)


def _is_abort(fault: FaultFilter) -> bool:
    abort = fault.policy.abort
    return abort is not None and abort.fraction.numerator >= abort.fraction.denominator


def _service_and_subset(cluster: str) -> tuple[str, str]:
    """The two in Istio's name of a cluster, `outbound|9080|v2|reviews.default.svc.cluster.local`."""
    parts = cluster.split("|")
    if len(parts) != 4:
        return cluster, ""
    return parts[3].partition(".")[0], parts[2]
