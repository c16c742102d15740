"""CDS: clusters, where their endpoints come from, and their limits (gRFCs A27, A32, A37, A50, A52)."""

from __future__ import annotations

from typing import Any

from envoy.extensions.clusters.aggregate.v3.cluster_pb2 import ClusterConfig as Aggregate

from ..errors import ResourceError
from ..resources import AggregateDiscovery, Cluster, Discovery, DnsDiscovery, EdsDiscovery, LbPolicy
from .lbpolicy import parse_lb_policy
from .outlier import parse_outlier_detection
from .scalars import duration, from_ads, type_name, unpack
from .support import Notes, check_fields

_LOGICAL_DNS, _EDS = 2, 3
_AGGREGATE = Aggregate.DESCRIPTOR.full_name
_DEFAULT_PRIORITY = 0
_MAX_REQUESTS = 1024


def parse_cluster(message: Any, notes: Notes) -> Cluster:
    """Validate a Cluster: EDS over this stream, LOGICAL_DNS or an aggregate of others."""
    check_fields(message, "", notes)
    discovery = _parse_discovery(message, notes)
    # An aggregate has none of its own: those of the clusters below it count (gRFC A75).
    policy = LbPolicy() if isinstance(discovery, AggregateDiscovery) else parse_lb_policy(message, notes)
    outlier = None
    if message.HasField("outlier_detection"):
        outlier = parse_outlier_detection(message.outlier_detection, "outlier_detection", notes)
    requests, retries = _parse_limits(message, notes)
    return Cluster(message.name, discovery, policy, requests, outlier, retries)


def _parse_discovery(message: Any, notes: Notes) -> Discovery:
    if message.WhichOneof("cluster_discovery_type") == "cluster_type":
        where = "cluster_type.typed_config"
        packed = message.cluster_type.typed_config
        if type_name(packed, where) != _AGGREGATE:
            raise ResourceError("cluster_type", f"{message.cluster_type.name!r} is not supported")
        aggregate = unpack(packed, Aggregate, where)
        check_fields(aggregate, where, notes)
        if not aggregate.clusters:
            raise ResourceError(f"{where}.clusters", "is empty")
        return AggregateDiscovery(tuple(dict.fromkeys(aggregate.clusters)))
    if message.type == _EDS:
        check_fields(message.eds_cluster_config, "eds_cluster_config", notes)
        from_ads(message.eds_cluster_config.eds_config, "eds_cluster_config.eds_config", notes)
        return EdsDiscovery(message.eds_cluster_config.service_name or message.name)
    if message.type == _LOGICAL_DNS:
        return _parse_dns(message, notes)
    known = message.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number
    kind = known[message.type].name if message.type in known else message.type
    raise ResourceError("type", f"{kind} is not supported: only EDS, LOGICAL_DNS and aggregates")


def _parse_dns(message: Any, notes: Notes) -> DnsDiscovery:
    """LOGICAL_DNS: exactly one locality with exactly one endpoint, whose address is a host name (A37)."""
    where = "load_assignment.endpoints"
    localities = message.load_assignment.endpoints
    if len(localities) != 1:
        raise ResourceError(where, f"LOGICAL_DNS needs exactly one locality, not {len(localities)}")
    if len(localities[0].lb_endpoints) != 1:
        count = len(localities[0].lb_endpoints)
        raise ResourceError(
            f"{where}[0].lb_endpoints", f"LOGICAL_DNS needs exactly one endpoint, not {count}"
        )
    at = f"{where}[0].lb_endpoints[0].endpoint.address.socket_address"
    socket = localities[0].lb_endpoints[0].endpoint.address.socket_address
    check_fields(socket, at, notes)
    if socket.resolver_name:
        raise ResourceError(f"{at}.resolver_name", "is not supported")
    if not socket.address:
        raise ResourceError(f"{at}.address", "is empty")
    if socket.WhichOneof("port_specifier") != "port_value" or not 0 < socket.port_value <= 65535:
        raise ResourceError(f"{at}.port_value", f"{socket.port_value} is not a port")
    refresh = 5.0
    if message.HasField("dns_refresh_rate"):
        refresh = max(duration(message.dns_refresh_rate, "dns_refresh_rate"), 1.0)
    return DnsDiscovery(socket.address, socket.port_value, refresh)


def _parse_limits(message: Any, notes: Notes) -> tuple[int, int | None]:
    """`max_requests` and `max_retries` for calls of the default priority, which all of gRPC's are (A32).

    Where no `max_retries` is set, Envoy allows 3. gRPC allows any number, and Istiod, unless it is told
    otherwise, says the largest there is: so only one that is set counts.
    """
    where = "circuit_breakers"
    check_fields(message.circuit_breakers, where, notes)
    for i, thresholds in enumerate(message.circuit_breakers.thresholds):
        if thresholds.priority == _DEFAULT_PRIORITY:
            check_fields(thresholds, f"{where}.thresholds[{i}]", notes)
            requests = thresholds.max_requests.value if thresholds.HasField("max_requests") else _MAX_REQUESTS
            return requests, thresholds.max_retries.value if thresholds.HasField("max_retries") else None
    return _MAX_REQUESTS, None
