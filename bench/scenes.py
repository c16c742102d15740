"""What the scripted control plane serves: resources as Istiod's grpc generator says them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate

from lanes.render import render
from lanes.spec import Lane, MeshSpec, Service

PORT = 9080
SERVICE = "bench"
HEADER = "x-lane"
"""What exact and arbitrary matchers look at."""

_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_AT_ONCE = 500
"""Lanes rendered at a time: what the spec checks grows with their square."""


def host(service: str = SERVICE) -> str:
    """The host of a service."""
    return f"{service}.default.svc.cluster.local"


def target(service: str = SERVICE) -> str:
    """What its clients call."""
    return f"xds:///{host(service)}:{PORT}"


def cluster_name(subset: str, service: str = SERVICE) -> str:
    """As Istiod names it."""
    return f"outbound|{PORT}|{subset}|{host(service)}"


# --- parts --------------------------------------------------------------------------------------------------


def http_manager(service: str) -> HttpConnectionManager:
    """A connection manager that does nothing but route."""
    manager = HttpConnectionManager(stat_prefix=service)
    manager.http_filters.add(name="envoy.filters.http.router").typed_config.Pack(Router())
    return manager


def make_listener(service: str = SERVICE) -> Listener:
    """An api_listener whose routes come by RDS."""
    manager = http_manager(service)
    manager.rds.route_config_name = cluster_name("", service)
    manager.rds.config_source.ads.SetInParent()
    made = Listener(name=f"{host(service)}:{PORT}")
    made.api_listener.api_listener.Pack(manager)
    return made


def make_routes(routes: Iterable[Route], service: str = SERVICE) -> RouteConfiguration:
    """One virtual host."""
    name = f"{host(service)}:{PORT}"
    virtual_host = VirtualHost(name=name, domains=[host(service), name], routes=routes)
    virtual_host.include_request_attempt_count = True
    return RouteConfiguration(name=cluster_name("", service), virtual_hosts=[virtual_host])


def make_route(name: str, subset: str, service: str = SERVICE) -> Route:
    """A route to a subset that takes every call, with the retry policy that Istiod gives by default.

    Without decorator and metadata, which no client reads here: 10,000 lanes with them are more than the 4 MiB
    that gRPC takes.
    """
    made = Route(name=name)
    made.match.prefix = "/"
    action = made.route
    action.cluster = cluster_name(subset, service)
    action.timeout.SetInParent()
    action.max_stream_duration.max_stream_duration.SetInParent()
    action.retry_policy.retry_on = _RETRY_ON
    action.retry_policy.num_retries.value = 2
    action.retry_policy.host_selection_retry_max_attempts = 5
    predicate = action.retry_policy.retry_host_predicate.add(
        name="envoy.retry_host_predicates.previous_hosts"
    )
    predicate.typed_config.Pack(PreviousHostsPredicate())
    return made


def make_cluster(subset: str, service: str = SERVICE) -> Cluster:
    """A cluster whose endpoints come by EDS."""
    name = cluster_name(subset, service)
    made = Cluster(name=name, type=Cluster.EDS)
    made.eds_cluster_config.service_name = name
    made.eds_cluster_config.eds_config.ads.SetInParent()
    return made


def make_endpoints(
    subset: str, port: int, ips: Iterable[str] = ("127.0.0.1",), service: str = SERVICE
) -> ClusterLoadAssignment:
    """One locality of endpoints that differ in their address."""
    made = ClusterLoadAssignment(cluster_name=cluster_name(subset, service))
    locality = made.endpoints.add()
    locality.locality.region = "local"
    locality.load_balancing_weight.value = 1
    for ip in ips:
        entry = locality.lb_endpoints.add()
        entry.load_balancing_weight.value = 1
        entry.endpoint.address.socket_address.address = ip
        entry.endpoint.address.socket_address.port_value = port
    return made


def loopbacks(first: int, count: int) -> Iterator[str]:
    """Addresses of this machine: 127.1.0.1 and on."""
    for i in range(first, first + count):
        yield f"127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}"


def frame(ports: Mapping[str, int]) -> list[Any]:
    """The service without its routes: a listener, and a cluster for each version."""
    made: list[Any] = [make_listener()]
    for version, port in ports.items():
        made += [make_cluster(version), make_endpoints(version, port)]
    return made


# --- routes -------------------------------------------------------------------------------------------------


def lane(index: int, salt: str = "") -> str:
    """The name of a lane; in order of their index."""
    return f"lane{salt}-{index:05}"


def lanes(count: int, last: str, salt: str = "") -> RouteConfiguration:
    """`count` lanes as `lanes.render` renders them, all in v2 but the last; base in v1."""
    routes: list[Route] = []
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, count))
        spec = MeshSpec(
            (Service(SERVICE, "v1"),),
            tuple(Lane(lane(i, salt), {SERVICE: last if i == count - 1 else "v2"}) for i in numbers),
        )
        rules = next(item["spec"]["http"] for item in render(spec) if item["kind"] == "VirtualService")
        routes += [_of_rule(rule) for rule in rules if "match" in rule]
    return make_routes([*routes, make_route("base", "v1")])


def _of_rule(rule: Mapping[str, Any]) -> Route:
    """A rendered HTTPRoute as Istiod translates it."""
    [destination] = rule["route"]
    made = make_route(rule["name"], destination["destination"]["subset"])
    for match in rule["match"]:
        for name, test in match["headers"].items():
            made.match.headers.add(name=name).string_match.safe_regex.regex = test["regex"]
    return made


def exact_headers(count: int, last: str) -> RouteConfiguration:
    """`count` routes by the exact value of a header."""
    routes = []
    for i in range(count):
        routes.append(make_route(lane(i), last if i == count - 1 else "v2"))
        routes[-1].match.headers.add(name=HEADER).string_match.exact = lane(i)
    return make_routes([*routes, make_route("base", "v1")])


def regexes(count: int, last: str, salt: str = "") -> RouteConfiguration:
    """`count` routes by regexes of no particular form."""
    routes = []
    for i in range(count):
        routes.append(make_route(lane(i), last if i == count - 1 else "v2"))
        pattern = rf"(team|squad)-[a-z]+{salt}(/{lane(i, salt)}|/v[0-9]{{1,3}}\.{i:05})(;.*)?"
        routes[-1].match.headers.add(name=HEADER).string_match.safe_regex.regex = pattern
    return make_routes([*routes, make_route("base", "v1")])


def paths(count: int, last: str) -> RouteConfiguration:
    """`count` short routes by exact path, the last one that of the calls."""
    routes = []
    for i in range(count):
        made = Route()
        made.match.path = f"/{i:05}" if i < count - 1 else "/bench.Echo/Unary"
        made.route.cluster = cluster_name(last if i == count - 1 else "v1")
        routes.append(made)
    return make_routes(routes)


def one_route(version: str) -> RouteConfiguration:
    """Everything to a version."""
    return make_routes([make_route("base", version)])


# --- many services ------------------------------------------------------------------------------------------

SUBSETS = 5
PER_CLUSTER = 10


def services(count: int, port: int) -> Iterator[Any]:
    """Services of five subsets with ten endpoints each; calls go to the first."""
    for i in range(count):
        name = f"{SERVICE}-{i:04}"
        yield make_listener(name)
        routes = [make_route(f"s{n}", f"s{n}", name) for n in range(SUBSETS)]
        for n, each in enumerate(routes[1:], 1):
            each.match.headers.add(name=HEADER).string_match.exact = f"s{n}"
        yield make_routes([*routes[1:], routes[0]], name)
        for n in range(SUBSETS):
            yield make_cluster(f"s{n}", name)
            ips = loopbacks((i * SUBSETS + n) * PER_CLUSTER, PER_CLUSTER)
            yield make_endpoints(f"s{n}", port, ips, name)


def big_clusters(clusters: int, each: int, port: int, first: int = 0, called: int = 0) -> Iterator[Any]:
    """Clusters of many endpoints, which the routes name and no call goes to; see `routes_to`.

    `called` is the port of the endpoint that v1 is to have, to which the calls go: it is said last.
    """
    for n in range(clusters):
        yield make_endpoints(f"big{n}", port, loopbacks(first + n * each, each))
    if called:
        yield make_endpoints("v1", called)


def routes_to(clusters: int) -> list[Any]:
    """A route to v1 for every call, after one to each big cluster by a header."""
    routes = [make_route(f"big{n}", f"big{n}") for n in range(clusters)]
    for n, each in enumerate(routes):
        each.match.headers.add(name=HEADER).string_match.exact = f"big{n}"
    return [
        make_routes([*routes, make_route("base", "v1")]),
        *(make_cluster(f"big{n}") for n in range(clusters)),
    ]


# --- by name ------------------------------------------------------------------------------------------------


def _framed(make: Callable[..., RouteConfiguration]) -> Callable[..., Sequence[Any]]:
    return lambda ports, **params: [*frame(ports), make(**params)]


SCENES: Mapping[str, Callable[..., Iterable[Any]]] = {
    "lanes": _framed(lanes),
    "exact_headers": _framed(exact_headers),
    "regexes": _framed(regexes),
    "paths": _framed(paths),
    "one_route": _framed(one_route),
    "many_endpoints": lambda ports, count: [
        *(
            each
            for each in [*frame(ports), one_route("v3")]
            if getattr(each, "cluster_name", "") != cluster_name("v3")
        ),
        make_endpoints("v3", ports["v3"], loopbacks(0, count)),
    ],
    "services": services,
    "routes_to": lambda ports, clusters: [
        *frame(ports),
        *routes_to(clusters),
        *big_clusters(clusters, 1, ports["v1"]),
    ],
    # changes to the above
    "only_lanes": lambda **params: [lanes(**params)],
    "only_regexes": lambda **params: [regexes(**params)],
    "only_one_route": lambda **params: [one_route(**params)],
    "endpoint": lambda subset, port, service=SERVICE: [make_endpoints(subset, port, service=service)],
    "endpoints": lambda subset, port, count, first=0: [make_endpoints(subset, port, loopbacks(first, count))],
    "big_clusters": big_clusters,
}
"""What an order to the control plane can ask for, by name."""
