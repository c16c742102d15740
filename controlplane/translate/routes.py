"""RDS: the route configuration of one service port, as one client gets it."""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as pb
from envoy.config.route.v3 import route_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import UInt32Value

from controlplane.names import ClusterKey, host_port
from controlplane.node import Node
from controlplane.objects import Destination, DestinationRule, HttpMatch, HttpRoute, VirtualService
from controlplane.registry import Registry, most_specific
from controlplane.translate.anys import duration, pack
from controlplane.translate.domains import build_domains
from controlplane.translate.edits import CORS_FILTER, apply_headers, apply_rewrite, build_cors
from controlplane.translate.hashing import build_hash_policy, hash_of_destination, hash_of_service
from controlplane.translate.listeners import FAULT_FILTER
from controlplane.translate.matches import build_match, is_catch_all
from controlplane.translate.mirrors import build_mirrors
from controlplane.translate.policies import build_fault, build_retry
from controlplane.translate.replies import build_direct_response, build_redirect

NO_TIMEOUT = Duration()


def build_route_configuration(
    name: str, key: ClusterKey, registry: Registry, node: Node
) -> route_pb2.RouteConfiguration:
    """The route configuration of that name; without virtual hosts where there is no such service or port.

    Istiod sends along the virtual hosts of every other service on the port. No client of this name ever
    meets them, and each of their changes would be pushed to it.
    """
    found = route_pb2.RouteConfiguration(name=name)
    service = registry.service(key.host, node.namespace)
    port = service.port(key.port) if service else None
    if service is None or port is None or not port.is_http:
        return found
    found.virtual_hosts.add(
        name=host_port(service.host, key.port),
        domains=build_domains(service, key.port, node.domain),
        routes=_routes(key, registry, node),
        include_request_attempt_count=True,
    )
    return found


def _routes(key: ClusterKey, registry: Registry, node: Node) -> list[pb.Route]:
    """The first VirtualService with a route for this client decides; without one, all goes to the host."""
    for thing in _candidates(key.host.lower(), registry.virtual_services_for(node.namespace)):
        if routes := RouteBuilder(thing, key.port, registry, node).routes():
            return routes
    return [_default_route(key, registry.rule(key.host, node))]


def _candidates(host: str, every: tuple[VirtualService, ...]) -> list[VirtualService]:
    """VirtualServices that name the host, or, where none does, the one whose wildcard fits best."""
    best = most_specific(host, (name for thing in every for name in thing.hosts))
    return [thing for thing in every if best in thing.hosts][: None if best == host else 1]


class RouteBuilder:
    """The routes of a VirtualService for the calls to a port by one client."""

    def __init__(self, thing: VirtualService, port: int, registry: Registry, node: Node) -> None:
        self._thing = thing
        self._port = port
        self._registry = registry
        self._node = node

    def routes(self) -> list[pb.Route]:
        """The routes in order, up to the first that takes every call."""
        found: list[pb.Route] = []
        for rule in self._thing.http:
            for match in rule.matches or (None,):
                if not _applies(match, self._port, self._node):
                    continue
                route = self._route(rule, match)
                found.append(route)
                if is_catch_all(route.match):
                    return found
            if not rule.matches:
                return found
        return found

    def _route(self, rule: HttpRoute, match: HttpMatch | None) -> pb.Route:
        route = pb.Route(
            name=f"{rule.name}.{match.name}" if match is not None and match.name else rule.name,
            match=build_match(match),
            metadata=_metadata(self._thing),
        )
        if match is not None and match.stat_prefix:
            route.stat_prefix = match.stat_prefix
        authority = apply_headers(route, rule.headers)
        if rule.redirect is not None:
            # A code that Envoy has no name for leaves the route without an action, as in Istiod.
            if (redirect := build_redirect(rule.redirect, self._port)) is not None:
                route.redirect.CopyFrom(redirect)
        elif rule.direct_response is not None:
            route.direct_response.CopyFrom(build_direct_response(rule.direct_response))
        else:
            self._forward(route, rule, authority)
        route.decorator.operation = _operation(route, self._thing.meta.name, self._port)
        if rule.fault is not None:
            route.typed_per_filter_config[FAULT_FILTER].CopyFrom(pack(build_fault(rule.fault)))
        if rule.cors is not None:
            route.typed_per_filter_config[CORS_FILTER].CopyFrom(pack(build_cors(rule.cors)))
        return route

    def _forward(self, route: pb.Route, rule: HttpRoute, authority: str) -> None:
        action = route.route
        action.timeout.CopyFrom(duration(rule.timeout or 0))
        # gRPC reads this one alone.
        action.max_stream_duration.max_stream_duration.CopyFrom(action.timeout)
        apply_rewrite(action, rule.rewrite)
        authority = (rule.rewrite.authority if rule.rewrite else "") or authority
        if authority:
            action.host_rewrite_literal = authority
        mirrors = (*((rule.mirror,) if rule.mirror else ()), *rule.mirrors)
        action.request_mirror_policies.extend(build_mirrors(mirrors, self._cluster))
        is_sticky = False
        if len(rule.destinations) == 1:
            destination = rule.destinations[0]
            action.cluster = self._cluster(destination)
            deeper = apply_headers(route, destination.headers)
            if deeper and not authority:
                action.host_rewrite_literal = deeper
            is_sticky = self._hash(action, destination)
        else:
            self._split(action, rule.destinations)
        retry = build_retry(rule.retries, is_sticky=is_sticky)
        if retry is not None:
            action.retry_policy.CopyFrom(retry)

    def _split(self, action: pb.RouteAction, destinations: tuple[Destination, ...]) -> None:
        action.weighted_clusters.SetInParent()
        for destination in destinations:
            if not destination.weight:
                continue  # a weight of 0 among others is left out, as in Istiod
            cluster = action.weighted_clusters.clusters.add(
                name=self._cluster(destination), weight=UInt32Value(value=destination.weight)
            )
            if deeper := apply_headers(cluster, destination.headers):
                cluster.host_rewrite_literal = deeper
            self._hash(action, destination)

    def _hash(self, action: pb.RouteAction, destination: Destination) -> bool:
        """Hash calls to a destination where its DestinationRule says so; returns whether it does."""
        hashing = hash_of_destination(self._registry.rule(destination.host, self._node), destination)
        if policy := build_hash_policy(hashing):
            action.hash_policy.append(policy)
        return hashing is not None

    def _cluster(self, destination: Destination) -> str:
        return str(ClusterKey(destination.port or self._port, destination.subset, destination.host))


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


def _default_route(key: ClusterKey, rule: DestinationRule | None) -> pb.Route:
    route = pb.Route(
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
    if policy := build_hash_policy(hash_of_service(rule, key.port)):
        route.route.hash_policy.append(policy)
    return route


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
