"""CDS: an EDS cluster per service port, and one per subset of it."""

from __future__ import annotations

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2

from controlplane.names import ClusterKey


def build_cluster(key: ClusterKey) -> cluster_pb2.Cluster:
    """The cluster of that name, its endpoints by EDS under the same name."""
    name = str(key)
    return cluster_pb2.Cluster(
        name=name,
        alt_stat_name=f"{name};",
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(
            service_name=name,
            eds_config=config_source_pb2.ConfigSource(ads=config_source_pb2.AggregatedConfigSource()),
        ),
    )
