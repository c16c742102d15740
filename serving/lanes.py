"""The lanes that exist, read from the routes that this process itself would go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
    members: dict[str, dict[str, str]] = {}
    strict: set[str] = set()
    for route in (route for config in configs for host in config.virtual_hosts for route in host.routes):
        for lane in () if route.name.startswith(FAULT) else lanes_named(route, key):
            found = members.setdefault(lane, {})
            # What has been injected into a lane's own route makes no lane strict.
            if _aborts_always(route) and route.name != f"{PREFIX}{lane}":
                strict.add(lane)
            elif isinstance(route.action, ClusterAction) and len(route.action.clusters) == 1:
                service, subset = _service_and_subset(route.action.clusters[0].name)
                found.setdefault(service, subset)
    return tuple(HeldLane(name, members[name], name in strict) for name in sorted(members))


class LanesHeld:
    """The lanes of a client of the mesh as its routes are now; reads them anew only when they changed."""

    def __init__(self, mesh: proxyless.Client | None, key: str) -> None:
        self._mesh = mesh
        self._key = key
        self._read: tuple[RouteConfig, ...] = ()
        self._lanes: tuple[HeldLane, ...] = ()

    @property
    def meshed(self) -> bool:
        """Whether there is a mesh that could have lanes."""
        return self._mesh is not None

    def lanes(self) -> tuple[HeldLane, ...]:
        """The lanes that exist, by name."""
        configs = tuple(self._configs())
        if len(configs) != len(self._read) or any(
            a is not b for a, b in zip(configs, self._read, strict=True)
        ):
            self._read, self._lanes = configs, lanes_in(configs, self._key)
        return self._lanes

    def _configs(self) -> Iterator[RouteConfig]:
        if self._mesh is None:
            return
        for held in (*self._mesh.held(Kind.LISTENER).values(), *self._mesh.held(Kind.ROUTE_CONFIG).values()):
            if isinstance(held.resource, RouteConfig):
                yield held.resource
            elif isinstance(held.resource, Listener) and held.resource.route_config is not None:
                yield held.resource.route_config


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
