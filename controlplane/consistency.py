"""The check before serving: nothing a client would refuse, and nothing that points into the void.

What the configuration itself leaves open (a route to a subset nowhere defined) is allowed, as in Istiod.
"""

from __future__ import annotations

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from google.protobuf.any_pb2 import Any

from controlplane.snapshot import View


def references(short: str, resource: Any) -> frozenset[tuple[str, str]]:
    """The (type, name) pairs a resource makes its client ask for."""
    key = short, bytes(resource.value)
    found = _young.get(key)
    if found is None:
        found = _young[key] = _old.get(key) or _references(*key)
    return found


_Key = tuple[str, bytes]
_young: dict[_Key, frozenset[tuple[str, str]]] = {}
_old: dict[_Key, frozenset[tuple[str, str]]] = {}


def forget_unused() -> None:
    """Forget what nobody has asked about since the last time: resources that are served no more."""
    _old.clear()
    _old.update(_young)
    _young.clear()


def _references(short: str, value: bytes) -> frozenset[tuple[str, str]]:
    if short == "LDS":
        manager = http_connection_manager_pb2.HttpConnectionManager()
        listener_pb2.Listener.FromString(value).api_listener.api_listener.Unpack(manager)
        return frozenset({("RDS", str(manager.rds.route_config_name))})
    if short == "RDS":
        found = set()
        for host in route_pb2.RouteConfiguration.FromString(value).virtual_hosts:
            for route in host.routes:
                if route.route.cluster:
                    found.add(("CDS", str(route.route.cluster)))
                found.update(("CDS", str(c.name)) for c in route.route.weighted_clusters.clusters)
        return frozenset(found)
    if short == "CDS":
        return frozenset(
            {("EDS", str(cluster_pb2.Cluster.FromString(value).eds_cluster_config.service_name))}
        )
    return frozenset()


def inconsistencies(view: View) -> list[str]:
    """What is wrong with what a client would be served, in words; empty when all is well."""
    found = []
    for short in ("LDS", "CDS"):
        for name, resource in view.resources(short, (), wildcard=True).by_name.items():
            for other, wanted in references(short, resource):
                if wanted not in view.resources(other, (wanted,)).by_name:
                    found.append(f"{short} {name} refers to {other} {wanted}, which is not served")
    for name, resource in view.resources("RDS", (), wildcard=True).by_name.items():
        seen: set[str] = set()
        for host in route_pb2.RouteConfiguration.FromString(resource.value).virtual_hosts:
            for domain in host.domains:
                if domain.lower() in seen:
                    found.append(f"RDS {name} has the domain {domain} twice")
                seen.add(domain.lower())
            if not host.routes:
                found.append(f"RDS {name} has a virtual host without routes, {host.name}")
    return found
