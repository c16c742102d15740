"""CDS: an EDS cluster per service port and subset, with what a gRPC client is told of its policy."""

from __future__ import annotations

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import config_source_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from controlplane.names import ClusterKey
from controlplane.objects import DestinationRule
from controlplane.registry import Service
from controlplane.trafficpolicy import TrafficPolicy, at_port, of_subset
from controlplane.translate.hashing import apply_hash
from controlplane.translate.tls import build_transport_socket


def build_cluster(key: ClusterKey, service: Service, rule: DestinationRule | None) -> cluster_pb2.Cluster:
    """The cluster of that name, its endpoints by EDS under the same name."""
    name = str(key)
    cluster = cluster_pb2.Cluster(
        name=name,
        alt_stat_name=f"{name};",
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(
            service_name=name,
            eds_config=config_source_pb2.ConfigSource(ads=config_source_pb2.AggregatedConfigSource()),
        ),
    )
    policy = policy_of(key, rule)
    if policy is not None:
        _apply(cluster, policy, service)
    return cluster


def policy_of(key: ClusterKey, rule: DestinationRule | None) -> TrafficPolicy | None:
    """The policy in force for a cluster."""
    if rule is None:
        return None
    subset = next((each.policy for each in rule.subsets if each.name == key.subset), None)
    if key.subset:
        return of_subset(rule.policy, subset, key.port)
    return at_port(rule.policy, key.port)[0]


def _apply(cluster: cluster_pb2.Cluster, policy: TrafficPolicy, service: Service) -> None:
    if policy.tls_mode == "ISTIO_MUTUAL":
        cluster.transport_socket.CopyFrom(build_transport_socket(service))
    balancer = policy.load_balancer
    if balancer is not None and balancer.hash is not None:
        apply_hash(cluster, balancer.hash)
    elif balancer is not None and balancer.simple == "LEAST_REQUEST":
        cluster.lb_policy = cluster_pb2.Cluster.LEAST_REQUEST
    if policy.max_requests:
        # gRPC knows no other limit (gRFC A32), so Istiod sends it none.
        threshold = circuit_breaker_pb2.CircuitBreakers.Thresholds(
            max_requests=UInt32Value(value=policy.max_requests)
        )
        cluster.circuit_breakers.thresholds.append(threshold)
