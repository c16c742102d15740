"""More of the table of clusters: whom health, weights and priorities make serve, and what is refused."""

from __future__ import annotations

from typing import Any, Final

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf.json_format import ParseDict

from tests.fakes import resources as build
from tests.parity.balancing import (
    HALF,
    Addresses,
    Make,
    aggregate,
    drop,
    localities,
    of,
    policies,
    policy,
    row,
)
from tests.parity.cases import REFUSED, UNAVAILABLE

NOBODY: Final = "127.0.0.9:9"
"""An address that nobody has."""


def assigned(*each: tuple[str, str, int, int], factor: int | None = None) -> Make:
    """A cluster of one locality a priority: backend or address, health, priority, weight."""

    def make(name: str, at: Addresses) -> Any:
        assignment = build.endpoints(name)
        if factor is not None:
            assignment.policy.overprovisioning_factor.value = factor
        for priority in sorted({one[2] for one in each}):
            build.add_locality(assignment, (), zone=f"z{priority}", priority=priority)
        for address, health, priority, weight in each:
            build.add_endpoint(assignment.endpoints[priority], at.get(address, address), health)
            assignment.endpoints[priority].lb_endpoints[-1].load_balancing_weight.value = weight
        return [build.cluster(name), assignment]

    return make


def well(**health: str) -> Make:
    """A cluster of these backends, of this health."""
    return assigned(*((name, each, 0, 1) for name, each in health.items()))


def half(factor: int | None = None) -> Make:
    """v1 beside one that is not well, and v2 a priority below."""
    beside = (NOBODY, "UNHEALTHY", 0, 1)
    return assigned(("v1", "HEALTHY", 0, 1), beside, ("v2", "HEALTHY", 1, 1), factor=factor)


def typed(kind: str) -> Make:
    """A cluster of a type, without endpoints."""

    def make(name: str, at: Addresses) -> Any:
        said = {"name": name, "type": kind, "load_assignment": {"cluster_name": name}}
        return [ParseDict(said, Cluster())]

    return make


def at(*addresses: str) -> Make:
    """A cluster at these addresses."""
    return lambda name, _: [build.cluster(name), build.endpoints(name, *addresses)]


def twice(name: str, at: Addresses) -> Any:
    """A cluster in whose assignment one locality stands twice."""
    assignment = build.endpoints(name)
    for each in ("v1", "v2"):
        build.add_locality(assignment, [at[each]], zone="z")
    return [build.cluster(name), assignment]


def ring(**config: Any) -> Make:
    return of("v1", lb_policy="RING_HASH", ring_hash_lb_config=config)


OVERFLOW = "gRPC knows no overprovisioning; ours goes by the factor where it is set, as Envoy does"
UNSET = "unset, the factor is 140 to Envoy, which takes all below it for overflow; gRPC has none"
PANIC = "with less than half of them healthy Envoy panics and calls them all; gRPC has no panic (gRFC A27)"
DEGRADED = "Envoy gives calls to degraded endpoints for want of others; gRFC A27 counts them as unhealthy"
ENVOY_MENDS = "Envoy makes the best of it; gRPC refuses what cannot be meant so (gRFC A27)"
TYPES = "Envoy has more types of cluster; gRFC A37 has EDS, LOGICAL_DNS and aggregates"

ROWS = (
    # --- overprovisioning ---
    row("half of a priority, factor 140", half(140), {"v1": 0.7, "v2": 0.3}, "v1", OVERFLOW),
    row("half of a priority, factor 100", half(100), HALF, "v1", OVERFLOW),
    row("half of a priority, factor 200", half(200), "v1"),
    row("half of a priority, no factor", half(), "v1", envoy={"v1": 0.7, "v2": 0.3}, why=UNSET),
    # --- health ---
    row("health: one of three", well(v1="HEALTHY", v2="UNHEALTHY", v3="UNHEALTHY"), "v1",
        envoy={"v1": 1 / 3, "v2": 1 / 3, "v3": 1 / 3}, why=PANIC),
    row("health: two of three", well(v1="HEALTHY", v2="HEALTHY", v3="UNHEALTHY"), HALF),
    row("health: none", well(v1="UNHEALTHY"), UNAVAILABLE, envoy="v1", why=PANIC),
    row("health: unknown", well(v1="UNKNOWN", v2="HEALTHY"), HALF),
    row("health: draining", well(v1="DRAINING", v2="HEALTHY"), "v2"),
    row("health: timeout", well(v1="TIMEOUT", v2="HEALTHY"), "v2"),
    row("health: only degraded", well(v1="DEGRADED"), UNAVAILABLE, envoy="v1", why=DEGRADED),
    row("health: degraded", well(v1="DEGRADED", v2="HEALTHY"), "v2",
        envoy={"v1": 0.3, "v2": 0.7}, why=DEGRADED),
    # --- weights and places ---
    row("endpoints by weight", assigned(("v1", "HEALTHY", 0, 3), ("v2", "HEALTHY", 0, 1)), HALF,
        envoy={"v1": 0.75, "v2": 0.25}, why="to Envoy's round robin endpoints have weights; gRPC's has none"),
    row("a locality of weight 0", localities(("v1", 0, 0), ("v2", 1, 0)), "v2",
        envoy=REFUSED, why="Envoy demands at least 1; gRPC leaves the locality out (gRFC A27)"),
    row("a locality twice", twice, REFUSED, envoy=HALF, why=ENVOY_MENDS),
    row("an endpoint twice", of("v1", "v1"), REFUSED, envoy="v1", why=ENVOY_MENDS),
    row("no priority 0", localities(("v1", 1, 1)), REFUSED, envoy="v1", why=ENVOY_MENDS),
    row("a priority left out", localities(("v1", 1, 0), ("v2", 1, 2)), REFUSED, envoy="v1", why=ENVOY_MENDS),
    row("a host name for an endpoint", at("localhost:1"), REFUSED),
    row("port 0", at("127.0.0.1:0"), REFUSED, UNAVAILABLE,
        "both peers let each call find out that nobody can listen there", envoy=UNAVAILABLE),
    row("drops beyond 100 %", of("v1", assignment=drop(300)), UNAVAILABLE,
        envoy=REFUSED, why="gRPC takes it for 100 %; Envoy refuses it"),
    # --- clusters ---
    row("type STATIC", typed("STATIC"), REFUSED, envoy=UNAVAILABLE, why=TYPES),
    row("type STRICT_DNS", typed("STRICT_DNS"), REFUSED, envoy=UNAVAILABLE, why=TYPES),
    row("a host name that is not said", typed("LOGICAL_DNS"), REFUSED),
    row("an aggregate of nothing", aggregate(), REFUSED),
    row("an aggregate of one twice", aggregate("v1", "v1"), "v1"),
    row("maglev", of("v1", lb_policy="MAGLEV"), "v1", REFUSED,
        "Envoy has it; to do without it costs a policy, to refuse the cluster all calls"),
    row("only policies that are not known", of("v1", **policies(policy("maglev.v3.Maglev"))), REFUSED,
        envoy="v1", why="Envoy has maglev; gRFC A52 refuses a list of which nothing is known"),
    row("no policies", of("v1", load_balancing_policy={}), REFUSED),
    row("a choice of one", of("v1", lb_policy="LEAST_REQUEST", least_request_lb_config={"choice_count": 1}),
        REFUSED),
    row("a ring smaller than its least", ring(minimum_ring_size=20, maximum_ring_size=10), REFUSED),
    row("a ring too large", ring(minimum_ring_size=8 * 2**20 + 1), REFUSED),
    row("a ring of another hash", ring(hash_function="MURMUR_HASH_2"), REFUSED,
        envoy="v1", why="Envoy has both hashes; gRFC A42 refuses all but XX_HASH"),
    row("outliers beyond 100 %", of("v1", outlier_detection={"max_ejection_percent": 101}), REFUSED),
    row("outliers before time", of("v1", outlier_detection={"interval": "-1s"}), REFUSED),
    row("a circuit of another priority", of("v1", circuit_breakers={
        "thresholds": [{"max_requests": 0, "priority": "HIGH"}]}), "v1"),
    row("a circuit twice", of("v1", circuit_breakers={
        "thresholds": [{"max_requests": 0}, {"max_requests": 5}]}), UNAVAILABLE),
    row("a circuit of pending calls", of("v1", circuit_breakers={
        "thresholds": [{"max_pending_requests": 0}]}), "v1",
        envoy=UNAVAILABLE, why="Envoy queues calls while it connects; gRFC A32 has max_requests only"),
)  # fmt: skip
"""Each as in `balancing.ROWS`."""
