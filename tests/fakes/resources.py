"""Short ways to say xDS resources in protobuf, as Istiod's grpc generator would say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_components_pb2 import LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf.json_format import ParseDict

LDS = "type.googleapis.com/envoy.config.listener.v3.Listener"
RDS = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
CDS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
EDS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def type_url(message: Any) -> str:
    return f"type.googleapis.com/{message.DESCRIPTOR.full_name}"


def name_of(message: Any) -> str:
    return str(getattr(message, "cluster_name", "") or message.name)


def listener(name: str, route_config: str | RouteConfiguration = "", **hcm_fields: Any) -> Listener:
    """An api_listener with fault and router filters, its routes by name (default: `name`) or inline."""
    hcm = ParseDict(hcm_fields, HttpConnectionManager())
    if isinstance(route_config, RouteConfiguration):
        hcm.route_config.CopyFrom(route_config)
    else:
        hcm.rds.route_config_name = route_config or name
        hcm.rds.config_source.ads.SetInParent()
    if not hcm.http_filters:
        hcm.http_filters.add(name="envoy.filters.http.fault").typed_config.Pack(HTTPFault())
        hcm.http_filters.add(name="envoy.filters.http.router").typed_config.Pack(Router())
    made = Listener(name=name)
    made.api_listener.api_listener.Pack(hcm)
    return made


def route_config(
    name: str, routes: Iterable[Mapping[str, Any] | Route], domains: Sequence[str] = ("*",)
) -> Any:
    """A route configuration of one virtual host; routes are protobuf JSON."""
    host = virtual_host("vh", domains, routes)
    return RouteConfiguration(name=name, virtual_hosts=[host])


def virtual_host(
    name: str, domains: Sequence[str], routes: Iterable[Mapping[str, Any] | Route]
) -> VirtualHost:
    made = VirtualHost(name=name, domains=domains)
    for each in routes:
        made.routes.append(each if isinstance(each, Route) else ParseDict(dict(each), Route()))
    return made


def route(cluster: str | Mapping[str, int], prefix: str = "", **match: Any) -> dict[str, Any]:
    """A route to a cluster, or to clusters by weight, as protobuf JSON; `match` adds to its RouteMatch."""
    specifier = {} if {"path", "safe_regex", "path_separated_prefix"} & match.keys() else {"prefix": prefix}
    action: dict[str, Any] = {"cluster": cluster} if isinstance(cluster, str) else {
        "weighted_clusters": {"clusters": [{"name": n, "weight": w} for n, w in cluster.items()]}
    }  # fmt: skip
    return {"match": {**specifier, **match}, "route": action}


def header(name: str, **test: Any) -> dict[str, Any]:
    """A HeaderMatcher as protobuf JSON."""
    return {"name": name, **test}


def cluster(name: str, **fields: Any) -> Cluster:
    made = Cluster(name=name, type=Cluster.EDS)
    made.eds_cluster_config.eds_config.ads.SetInParent()
    made.eds_cluster_config.service_name = name
    return ParseDict(fields, made)


def endpoints(
    name: str, *addresses: str, priority: int = 0, health: str = "HEALTHY"
) -> ClusterLoadAssignment:
    """One locality with these `ip:port`s."""
    made = ClusterLoadAssignment(cluster_name=name)
    if addresses:
        add_locality(made, addresses, priority=priority, health=health)
    return made


def add_locality(
    assignment: ClusterLoadAssignment,
    addresses: Iterable[str],
    *,
    priority: int = 0,
    weight: int = 1,
    zone: str = "",
    health: str = "HEALTHY",
) -> None:
    locality = assignment.endpoints.add(priority=priority)
    locality.load_balancing_weight.value = weight
    locality.locality.zone = zone
    for address in addresses:
        add_endpoint(locality, address, health)


def add_endpoint(locality: LocalityLbEndpoints, address: str, health: str = "HEALTHY") -> None:
    ip, _, port = address.rpartition(":")
    entry = ParseDict({"health_status": health}, locality.lb_endpoints.add())
    entry.endpoint.address.socket_address.address = ip
    entry.endpoint.address.socket_address.port_value = int(port)


def service(
    name: str, backends: Mapping[str, Sequence[str]], routes: Iterable[Mapping[str, Any] | Route]
) -> list[Any]:
    """Everything one target needs: listener, routes, and per cluster its endpoints."""
    made: list[Any] = [listener(name), route_config(name, routes)]
    for each, addresses in backends.items():
        made += [cluster(each), endpoints(each, *addresses)]
    return made
