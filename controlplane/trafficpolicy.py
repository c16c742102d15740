"""What a DestinationRule says about calls to a host, a port, a subset; and which of it is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ConsistentHash:
    """Stick to an endpoint by a part of the call. `by` is header, cookie, source or query.

    `ring_size` and `table_size` belong to the algorithm: None is not given.
    """

    by: str = ""
    name: str = ""
    cookie_path: str = ""
    cookie_ttl: int | None = None
    cookie_attributes: tuple[tuple[str, str], ...] = ()
    algorithm: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class LocalitySetting:
    """How endpoints of other places are used."""

    enabled: bool = True
    distribute: tuple[tuple[str, Mapping[str, int]], ...] = ()
    failover: tuple[tuple[str, str], ...] = ()
    failover_priority: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """How an endpoint is chosen; `simple` is Istio's name, "" where a hash or nothing is given."""

    simple: str = ""
    hash: ConsistentHash | None = None
    locality: LocalitySetting | None = None


@dataclass(frozen=True, slots=True)
class TrafficPolicy:
    """A policy at one level. Only what Istiod tells a gRPC client of it is kept apart.

    `max_requests` None is no connectionPool, 0 one without a limit; `ports` are the levels below.
    """

    load_balancer: LoadBalancer | None = None
    max_requests: int | None = None
    outlier_detection: bool = False
    tls_mode: str = ""
    ports: tuple[tuple[int, TrafficPolicy], ...] = ()


def at_port(policy: TrafficPolicy | None, port: int) -> tuple[TrafficPolicy | None, bool]:
    """The policy for a port, and whether it is the port's own: such a one inherits nothing."""
    for number, own in policy.ports if policy else ():
        if number == port:
            return own, True
    return policy, False


def of_subset(whole: TrafficPolicy | None, subset: TrafficPolicy | None, port: int) -> TrafficPolicy | None:
    """The policy of a subset over the one of its host (Istio's `MergeSubsetTrafficPolicy`)."""
    base, _ = at_port(whole, port)
    if subset is None:
        return base
    own, is_of_port = at_port(subset, port)
    if base is None or own is None:
        return own
    if is_of_port:
        return replace(own, ports=())
    return TrafficPolicy(
        load_balancer=own.load_balancer or base.load_balancer,
        max_requests=base.max_requests if own.max_requests is None else own.max_requests,
        outlier_detection=own.outlier_detection or base.outlier_detection,
        tls_mode=own.tls_mode or base.tls_mode,
    )
