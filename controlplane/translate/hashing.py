"""Consistent hashing: what a route hashes, and how its cluster spreads the hashes."""

from __future__ import annotations

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.route.v3 import route_components_pb2 as pb
from google.protobuf.wrappers_pb2 import UInt64Value

from controlplane.objects import Destination, DestinationRule
from controlplane.trafficpolicy import ConsistentHash, TrafficPolicy
from controlplane.translate.anys import duration

DEFAULT_RING = 1024


def hash_of_service(rule: DestinationRule | None, port: int) -> ConsistentHash | None:
    """The hash for calls to a port that no VirtualService routes."""
    policy = rule.policy if rule else None
    return _at_port(policy, port) or _whole(policy)


def hash_of_destination(rule: DestinationRule | None, destination: Destination) -> ConsistentHash | None:
    """The hash for a route's destination; a port's own counts only where the destination names the port."""
    if rule is None:
        return None
    subset = next((each.policy for each in rule.subsets if each.name == destination.subset), None)
    port = destination.port
    return (
        (_at_port(subset, port) if port else None)
        or _whole(subset)
        or (_at_port(rule.policy, port) if port else None)
        or _whole(rule.policy)
    )


def _whole(policy: TrafficPolicy | None) -> ConsistentHash | None:
    return policy.load_balancer.hash if policy and policy.load_balancer else None


def _at_port(policy: TrafficPolicy | None, port: int) -> ConsistentHash | None:
    return next((_whole(own) for number, own in (policy.ports if policy else ()) if number == port), None)


def build_hash_policy(hashing: ConsistentHash | None) -> pb.RouteAction.HashPolicy | None:
    """What of a call is hashed; None where nothing is named."""
    if hashing is None or not hashing.by:
        return None
    found = pb.RouteAction.HashPolicy()
    if hashing.by == "header":
        found.header.header_name = hashing.name
    elif hashing.by == "source":
        found.connection_properties.source_ip = bool(hashing.name)
    elif hashing.by == "query":
        found.query_parameter.name = hashing.name
    else:
        found.cookie.name = hashing.name
        found.cookie.path = hashing.cookie_path
        if hashing.cookie_ttl is not None:
            found.cookie.ttl.CopyFrom(duration(hashing.cookie_ttl))
        for name, value in hashing.cookie_attributes:
            found.cookie.attributes.add(name=name, value=value)
    return found


def apply_hash(cluster: cluster_pb2.Cluster, hashing: ConsistentHash) -> None:
    """Make a cluster a ring, or a Maglev table."""
    if hashing.algorithm == "maglev":
        cluster.lb_policy = cluster_pb2.Cluster.MAGLEV
        if hashing.size:
            cluster.maglev_lb_config.table_size.CopyFrom(UInt64Value(value=hashing.size))
        return
    cluster.lb_policy = cluster_pb2.Cluster.RING_HASH
    size = hashing.size or (0 if hashing.algorithm == "ring" else DEFAULT_RING)
    if size:
        cluster.ring_hash_lb_config.minimum_ring_size.CopyFrom(UInt64Value(value=size))
