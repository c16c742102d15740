"""RDS: the route configuration of one service port, as one client gets it."""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as pb
from envoy.config.route.v3 import route_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import UInt32Value

from controlplane.names import ClusterKey, host_port
from controlplane.node import Node
from controlplane.objects import Destination, HttpMatch, HttpRoute, VirtualService
from controlplane.registry import Registry, most_specific
from controlplane.translate.anys import duration, pack
from controlplane.translate.domains import build_domains
from controlplane.translate.listeners import FAULT_FILTER
from controlplane.translate.matches import build_match, is_catch_all
from controlplane.translate.policies import build_fault, build_retry

NO_TIMEOUT = Duration()


def build_route_configuration(
    name: str, key: ClusterKey, registry: Registry, node: Node
) -> route_pb2.RouteConfiguration:
    """The route configuration of that name; without virtual hosts where there is no such service or port."""
    found = route_pb2.RouteConfiguration(name=name)
    service = registry.service(key.host, node.namespace)
    port = service.port(key.port) if service else None
    if service is None or port is None or not port.is_http:
        return found
    found.virtual_hosts.add(
        name=host_port(service.host, key.port),
        domains=build_domains(service, key.port, node.domain),
        routes=_routes(key, registry, node),
    )
    return found


def _routes(key: ClusterKey, registry: Registry, node: Node) -> list[pb.Route]:
    """The oldest VirtualService with a route for this client decides; without one, all goes to the host."""
    for thing in _candidates(key.host, registry):
        if routes := build_routes(thing, key.port, node):
            return routes
    return [_default_route(key)]


def _candidates(host: str, registry: Registry) -> list[VirtualService]:
    """VirtualServices that name the host, or, where none does, the one whose wildcard fits best."""
    every = registry.virtual_services
    best = most_specific(host, (name for thing in every for name in thing.hosts))
    return [thing for thing in every if best in thing.hosts][: None if best == host else 1]


def build_routes(thing: VirtualService, port: int, node: Node) -> list[pb.Route]:
    """The routes of a VirtualService for the calls to a port by this client."""
    found: list[pb.Route] = []
    for rule in thing.http:
        for match in rule.matches or (None,):
            if not _applies(match, port, node):
                continue
            route = _route(thing, rule, match, port)
            found.append(route)
            if is_catch_all(route.match):
                return found
        if not rule.matches:
            return found
    return found


def _applies(match: HttpMatch | None, port: int, node: Node) -> bool:
    """What does not depend on the call is decided here: the port, and who the client is."""
    if match is None:
        return True
    if match.port and match.port != port:
        return False
    if match.gateways:
        return "mesh" in match.gateways
    if not match.source_labels.items() <= node.labels.items():
        return False
    return not match.source_namespace or match.source_namespace == node.namespace


def _route(thing: VirtualService, rule: HttpRoute, match: HttpMatch | None, port: int) -> pb.Route:
    route = pb.Route(
        name=f"{rule.name}.{match.name}" if match is not None and match.name else rule.name,
        match=build_match(match),
        route=_action(rule, port),
        metadata=_metadata(thing),
    )
    if match is not None and match.stat_prefix:
        route.stat_prefix = match.stat_prefix
    route.decorator.operation = _operation(route, thing.meta.name, port)
    if rule.fault is not None:
        route.typed_per_filter_config[FAULT_FILTER].CopyFrom(pack(build_fault(rule.fault)))
    return route


def _action(rule: HttpRoute, port: int) -> pb.RouteAction:
    timeout = duration(rule.timeout or 0)
    action = pb.RouteAction(
        timeout=timeout,
        # gRPC reads this one alone.
        max_stream_duration=pb.RouteAction.MaxStreamDuration(max_stream_duration=timeout),
        retry_policy=build_retry(rule.retries),
    )
    if len(rule.destinations) == 1:
        action.cluster = _cluster(rule.destinations[0], port)
        return action
    for destination in rule.destinations:
        # A weight of 0 among others is left out, as in Istiod.
        if destination.weight:
            action.weighted_clusters.clusters.add(
                name=_cluster(destination, port), weight=UInt32Value(value=destination.weight)
            )
    return action


def _cluster(destination: Destination, port: int) -> str:
    return str(ClusterKey(destination.port or port, destination.subset, destination.host))


def _default_route(key: ClusterKey) -> pb.Route:
    return pb.Route(
        name="default",
        match=build_match(None),
        route=pb.RouteAction(
            cluster=str(key),
            timeout=NO_TIMEOUT,
            max_grpc_timeout=NO_TIMEOUT,
            retry_policy=build_retry(None),
        ),
        decorator=pb.Decorator(operation=f"{key.host}:{key.port}/*"),
    )


def _metadata(thing: VirtualService) -> base_pb2.Metadata:
    metadata = base_pb2.Metadata()
    meta = thing.meta
    path = f"/apis/networking.istio.io/v1/namespaces/{meta.namespace}/virtual-service/{meta.name}"
    metadata.filter_metadata["istio"].update({"config": path})
    return metadata


def _operation(route: pb.Route, name: str, port: int) -> str:
    match = route.match
    path = match.path or match.safe_regex.regex or f"{match.prefix}*"
    if cluster := route.route.cluster:
        _, cluster_port, _, host = str(cluster).split("|")
        return f"{host}:{cluster_port}{path}"
    return f"{name}:{port}{path}"
