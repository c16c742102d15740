"""Clusters: where their endpoints come from, and how these share the calls."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class LbPolicy(Struct, frozen=True):
    """How the endpoints of a cluster share its calls (gRFCs A27, A42, A48, A52)."""

    name: str = "round_robin"
    """A name of `balance.policies.POLICIES`."""
    by_locality: bool = True
    """A locality is drawn by weight first; False has all endpoints of a priority in one pot."""
    choice_count: int = 2
    """least_request: how many are drawn to be compared."""
    min_ring_size: int = 1024
    max_ring_size: int = 4096
    """ring_hash: bounds of the number of points; gRPC caps both at 4096."""


class EdsDiscovery(Struct, frozen=True):
    """Endpoints by the EDS resource of this name."""

    name: str


class DnsDiscovery(Struct, frozen=True):
    """Endpoints by looking up a host name (Envoy's LOGICAL_DNS); seconds between two look-ups."""

    host: str
    port: int
    refresh: float = 5.0

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


class AggregateDiscovery(Struct, frozen=True):
    """Other clusters, the first of which that can serve does (gRFCs A37, A75)."""

    clusters: tuple[str, ...]


Discovery: TypeAlias = EdsDiscovery | DnsDiscovery | AggregateDiscovery


class OutlierDetection(Struct, frozen=True):
    """envoy.config.cluster.v3.OutlierDetection (gRFC A50). Seconds, and percentages of a hundred.

    An `enforcing` percentage of 0 turns its criterion off. The `consecutive` ones are Envoy's.
    """

    interval: float = 10.0
    base_ejection_time: float = 30.0
    max_ejection_time: float = 300.0
    max_ejection_percent: int = 10
    success_rate_stdev_factor: int = 1900
    enforcing_success_rate: int = 100
    success_rate_minimum_hosts: int = 5
    success_rate_request_volume: int = 100
    failure_percentage_threshold: int = 85
    enforcing_failure_percentage: int = 0
    failure_percentage_minimum_hosts: int = 5
    failure_percentage_request_volume: int = 50
    consecutive_5xx: int = 5
    enforcing_consecutive_5xx: int = 100
    consecutive_gateway_failure: int = 5
    enforcing_consecutive_gateway_failure: int = 0


class Cluster(Struct, frozen=True):
    """envoy.config.cluster.v3.Cluster."""

    name: str
    discovery: Discovery
    lb_policy: LbPolicy = LbPolicy()
    max_requests: int = 1024
    """Calls in flight in the whole process, above which a call fails (gRFC A32)."""
    outlier_detection: OutlierDetection | None = None
    max_retries: int | None = None
    """Calls being retried in the whole process, above which none is; None is no limit."""
