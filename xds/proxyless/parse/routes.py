"""RDS: virtual hosts, routes and what they do (gRFCs A27, A28, A31, A44)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from envoy.config.route.v3.route_components_pb2 import Route as RouteProto
from envoy.config.route.v3.route_components_pb2 import VirtualHost as VirtualHostProto
from envoy.config.route.v3.route_pb2 import RouteConfiguration as RouteConfigProto

from ..errors import ResourceError
from ..resources import (
    EVERY_CALL,
    Action,
    ClusterAction,
    Mirror,
    OtherAction,
    Route,
    RouteConfig,
    VirtualHost,
    WeightedCluster,
)
from ..steps import Steps
from .before import Before, Repeated
from .edits import parse_edits
from .filters import parse_overrides
from .hashing import parse_hash_policies
from .matchers import parse_match
from .retry import parse_retry
from .rewrites import parse_direct_response, parse_host, parse_path_rewrite, parse_redirect
from .scalars import duration, fraction
from .shells import Shell, decode
from .support import Notes, check_fields

_MAX_TOTAL_WEIGHT = 2**32 - 1
_PLACE = re.compile(r"virtual_hosts\[\d+\]\.routes\[\d+\]")


ROUTE_CONFIG = Shell(RouteConfigProto, "virtual_hosts")
_VIRTUAL_HOST = Shell(VirtualHostProto, "routes")


def parse_route_config(
    message: Any, virtual_hosts: Sequence[bytes], notes: Notes, before: Before | None = None, where: str = ""
) -> Steps[RouteConfig]:
    """Validate a RouteConfiguration, opened: its virtual hosts and every route in them, a step each.

    A route that is as it was `before` stays the same object.
    """
    check_fields(message, where, notes)
    known = {} if before is None else (yield from _routes_of(before))
    actions = Repeated(_parse_action)
    prefix = f"{where}." if where else ""
    owners: dict[str, str] = {}
    hosts = []
    for i, data in enumerate(virtual_hosts):
        at = f"{prefix}virtual_hosts[{i}]"
        each, routes = yield from _VIRTUAL_HOST.opening(data, at)
        hosts.append((yield from _parse_virtual_host(each, routes, at, notes, known, actions)))
        for j, domain in enumerate(each.domains):
            folded = domain.lower()
            if folded in owners:
                raise ResourceError(f"{at}.domains[{j}]", f"{domain!r} stands in {owners[folded]} as well")
            owners[folded] = at
    edits = parse_edits(message, where, notes)
    return RouteConfig(message.name, tuple(hosts), edits, message.most_specific_header_mutations_wins)


def _routes_of(before: Before) -> Steps[dict[bytes, Route]]:
    """The routes of a version by their bytes, without those that are noted: a note says where it belongs."""
    assert isinstance(before.resource, RouteConfig)
    noted = {found[0] for note in before.notes if (found := _PLACE.match(note))}
    known: dict[bytes, Route] = {}
    _, hosts = yield from ROUTE_CONFIG.opening(before.data)
    for i, (data, host) in enumerate(zip(hosts, before.resource.virtual_hosts, strict=True)):
        _, routes = yield from _VIRTUAL_HOST.opening(data)
        for route, parsed in zip(routes, host.routes, strict=True):
            yield
            if not noted or f"virtual_hosts[{i}].routes[{parsed.index}]" not in noted:
                known[route] = parsed
    return known


def _parse_virtual_host(
    message: Any,
    elements: Sequence[bytes],
    where: str,
    notes: Notes,
    known: Mapping[bytes, Route],
    actions: Repeated[Action],
) -> Steps[VirtualHost]:
    check_fields(message, where, notes)
    if not message.domains:
        raise ResourceError(f"{where}.domains", "is empty")
    for i, domain in enumerate(message.domains):
        if not domain or "*" in domain[1:-1] or (domain.count("*") > 1):
            raise ResourceError(
                f"{where}.domains[{i}]",
                f"{domain!r} is not a domain pattern: one `*`, at its start or its end",
            )
    retry = None
    if message.HasField("retry_policy"):
        retry = parse_retry(message.retry_policy, f"{where}.retry_policy", notes)
    faults = parse_overrides(message.typed_per_filter_config, f"{where}.typed_per_filter_config", notes)
    routes = []
    for i, data in enumerate(elements):
        yield
        route = known.get(data)
        if route is None:
            at = f"{where}.routes[{i}]"
            route = _parse_route(decode(RouteProto, data, at), i, at, notes, actions)
        routes.append(route if route.index == i else route.at(i))
    edits = parse_edits(message, where, notes)
    return VirtualHost(message.name, tuple(message.domains), tuple(routes), retry, faults, edits)


def _parse_route(message: Any, index: int, where: str, notes: Notes, actions: Repeated[Action]) -> Route:
    check_fields(message, where, notes)
    if not message.HasField("match"):
        raise ResourceError(f"{where}.match", "is missing")
    match = parse_match(message.match, f"{where}.match", notes)
    faults = parse_overrides(message.typed_per_filter_config, f"{where}.typed_per_filter_config", notes)
    which = message.WhichOneof("action")
    if which is None:
        raise ResourceError(where, "has no action")
    action: Action = OtherAction(which)
    if which == "route":
        action = actions.parse(message.route, f"{where}.route", notes)
    elif which == "redirect":
        action = parse_redirect(message.redirect, f"{where}.redirect", notes)
    elif which == "direct_response":
        action = parse_direct_response(message.direct_response, f"{where}.direct_response", notes)
    return Route(match, action, message.name, index, faults, parse_edits(message, where, notes))


def _parse_action(message: Any, where: str, notes: Notes) -> Action:
    check_fields(message, where, notes)
    which = message.WhichOneof("cluster_specifier")
    if which == "cluster":
        if not message.cluster:
            raise ResourceError(f"{where}.cluster", "is empty")
        clusters: tuple[WeightedCluster, ...] = (WeightedCluster(message.cluster, 1),)
    elif which == "weighted_clusters":
        clusters = _parse_weighted(message.weighted_clusters, f"{where}.weighted_clusters", notes)
    elif which is None:
        raise ResourceError(where, "names no cluster")
    else:
        raise ResourceError(f"{where}.{which}", "is not supported")
    limit = None
    if message.HasField("max_stream_duration"):
        # The header's limit goes before the plain one; both mean seconds, 0 no limit (gRFC A31).
        durations, at = message.max_stream_duration, f"{where}.max_stream_duration"
        check_fields(durations, at, notes)
        for name in ("grpc_timeout_header_max", "max_stream_duration"):
            if durations.HasField(name):
                limit = duration(getattr(durations, name), f"{at}.{name}")
                break
    else:
        for name in ("timeout", "max_grpc_timeout"):
            said = getattr(message, name)
            if said.seconds or said.nanos:  # 0, which Istiod always says, is no limit in either reading
                notes.add(
                    f"{where}.{name}",
                    "has no effect on gRPC calls: they go by max_stream_duration (gRFC A31)",
                )
    retry = None
    if message.HasField("retry_policy"):
        retry = parse_retry(message.retry_policy, f"{where}.retry_policy", notes)
    hashing = parse_hash_policies(message.hash_policy, f"{where}.hash_policy", notes)
    mirrors = _parse_mirrors(message.request_mirror_policies, f"{where}.request_mirror_policies", notes)
    timeout = duration(message.timeout, f"{where}.timeout") if message.HasField("timeout") else None
    rewrite = parse_path_rewrite(message, where, notes)
    host = parse_host(message.host_rewrite_literal, f"{where}.host_rewrite_literal")
    for descriptor, _ in message.ListFields():
        if descriptor.name in ("prefix_rewrite", "regex_rewrite", "host_rewrite_literal"):
            notes.add(f"{where}.{descriptor.name}", "has no effect on gRPC calls")
    return ClusterAction(clusters, limit, retry, hashing, mirrors, timeout, rewrite, host)


def _parse_mirrors(messages: Any, where: str, notes: Notes) -> tuple[Mirror, ...]:
    mirrors = []
    for i, each in enumerate(messages):
        at = f"{where}[{i}]"
        check_fields(each, at, notes)
        if not each.cluster:
            raise ResourceError(f"{at}.cluster", "is empty")
        share = EVERY_CALL
        if each.HasField("runtime_fraction"):
            check_fields(each.runtime_fraction, f"{at}.runtime_fraction", notes)
            share = fraction(each.runtime_fraction.default_value, f"{at}.runtime_fraction.default_value")
        mirrors.append(Mirror(each.cluster, share, not each.disable_shadow_host_suffix_append))
    return tuple(mirrors)


def _parse_weighted(message: Any, where: str, notes: Notes) -> tuple[WeightedCluster, ...]:
    check_fields(message, where, notes)
    clusters = []
    for i, each in enumerate(message.clusters):
        at = f"{where}.clusters[{i}]"
        check_fields(each, at, notes)
        if not each.name:
            raise ResourceError(f"{at}.name", "is empty")
        faults = parse_overrides(each.typed_per_filter_config, f"{at}.typed_per_filter_config", notes)
        edits = parse_edits(each, at, notes)
        clusters.append(WeightedCluster(each.name, each.weight.value, faults, edits))
    total = sum(cluster.weight for cluster in clusters)
    if not 0 < total <= _MAX_TOTAL_WEIGHT:
        raise ResourceError(f"{where}.clusters", f"the weights add up to {total}, not to 1 … 2³²-1")
    for i, each in enumerate(message.clusters):
        if not each.HasField("weight"):
            raise ResourceError(f"{where}.clusters[{i}].weight", "is missing")
    return tuple(clusters)
