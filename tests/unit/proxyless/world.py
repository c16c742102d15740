"""What is held, as a test would have it, and one target in it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from proxyless.depgraph import Config, Dependencies, Key
from proxyless.held import Held, State
from proxyless.resources import (
    Cluster,
    ClusterAction,
    EdsDiscovery,
    Endpoint,
    Endpoints,
    Kind,
    Listener,
    Locality,
    LocalityName,
    PathMatch,
    Route,
    RouteConfig,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)

LDS, RDS, CDS, EDS = Kind.LISTENER, Kind.ROUTE_CONFIG, Kind.CLUSTER, Kind.ENDPOINTS
ALL = RouteMatch(PathMatch("prefix", ""))


def routes(*clusters: str, name: str = "r", domain: str = "*") -> RouteConfig:
    made = tuple(
        Route(ALL, ClusterAction((WeightedCluster(each, 1),)), index=i) for i, each in enumerate(clusters)
    )
    return RouteConfig(name, (VirtualHost("vh", (domain,), made),))


def endpoints(name: str, *hosts: int) -> Endpoints:
    some = tuple(Endpoint(f"10.0.0.{host}", 80) for host in hosts)
    return Endpoints(name, (Locality(LocalityName(), 1, 0, some),))


class World:
    """What is held, as the machine would tell it, and one target in it."""

    def __init__(self) -> None:
        self.held: dict[Key, Held] = {}
        self.error = ""
        self.target = Dependencies("l", "a")

    def has(self, kind: Kind, *resources: Any) -> World:
        for each in resources:
            self.held[kind, each.name] = Held(State.ACKED, each, version="1")
        return self

    def whole(self, *clusters: str) -> World:
        """Everything the listener `l` needs for these clusters."""
        self.has(LDS, Listener("l", "r")).has(RDS, routes(*clusters))
        self.has(CDS, *(Cluster(c, EdsDiscovery(f"e-{c}")) for c in clusters))
        return self.has(EDS, *(endpoints(f"e-{c}", 1) for c in clusters))

    def becomes(self, kind: Kind, name: str, state: State, error: str = "") -> World:
        before = self.held.get((kind, name), Held())
        kept = before.resource if state is State.NACKED else None
        self.held[kind, name] = replace(before, state=state, resource=kept, error=error)
        return self

    def lookup(self, kind: Kind, name: str) -> Held | None:
        return self.held.get((kind, name))

    def resolve(self) -> Any:
        self.target.resolve(self.lookup, self.error)
        return self.target.outcome

    def config(self) -> Config:
        outcome = self.resolve()
        assert isinstance(outcome, Config)
        return outcome

    @property
    def needs(self) -> set[str]:
        return {f"{kind.value} {name}" for kind, name in self.target.needs}
