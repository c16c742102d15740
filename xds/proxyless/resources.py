"""xDS resources as frozen dataclasses, free of protobuf.

`parse/` makes them from the wire, everything else reads them. Equality is by value, so that a rebuilt
resource that says the same is the same. Durations are seconds.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal, TypeAlias


class Kind(enum.Enum):
    """The four resource types of the data plane, in the order of their dependency."""

    LISTENER = "LDS"
    ROUTE_CONFIG = "RDS"
    CLUSTER = "CDS"
    ENDPOINTS = "EDS"

    @property
    def type_url(self) -> str:
        return _TYPE_URLS[self]

    @property
    def full_state(self) -> bool:
        """Whether a response lists all there is, so that absence means deletion (LDS and CDS only)."""
        return self in (Kind.LISTENER, Kind.CLUSTER)


_TYPE_URLS = {
    Kind.LISTENER: "type.googleapis.com/envoy.config.listener.v3.Listener",
    Kind.ROUTE_CONFIG: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    Kind.CLUSTER: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    Kind.ENDPOINTS: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
}
KIND_OF_TYPE_URL = {url: kind for kind, url in _TYPE_URLS.items()}


# --- matching ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StringMatch:
    """envoy.type.matcher.v3.StringMatcher."""

    how: Literal["exact", "prefix", "suffix", "contains", "regex"]
    value: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class RangeMatch:
    """A header value as a base-10 integer in `[start, end)`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PresentMatch:
    """Whether a header is there at all."""

    present: bool


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """envoy.config.route.v3.HeaderMatcher."""

    name: str
    test: StringMatch | RangeMatch | PresentMatch
    invert: bool = False
    treat_missing_as_empty: bool = False


@dataclass(frozen=True, slots=True)
class PathMatch:
    """The path specifier of envoy.config.route.v3.RouteMatch."""

    how: Literal["prefix", "exact", "regex", "path_separated_prefix"]
    value: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Fraction:
    """envoy.type.v3.FractionalPercent."""

    numerator: int
    denominator: int = 100


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """envoy.config.route.v3.RouteMatch, as far as a gRPC call can satisfy it."""

    path: PathMatch
    headers: tuple[HeaderMatch, ...] = ()
    fraction: Fraction | None = None
    needs_query: bool = False
    """It asks for query parameters, which a gRPC call never has: it matches none (gRFC A28)."""


# --- what a route does ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """envoy.config.route.v3.RetryPolicy, as gRFC A44 reads it. Back-offs are seconds."""

    retry_on: frozenset[str]
    """gRPC status codes in Envoy's spelling (`unavailable` …); empty means no retries."""
    max_attempts: int = 2
    base_interval: float = 0.025
    max_interval: float = 0.25


@dataclass(frozen=True, slots=True)
class FaultDelay:
    """A delay in seconds, for a fraction of the calls; `seconds` None takes it from the request's headers."""

    seconds: float | None
    fraction: Fraction


@dataclass(frozen=True, slots=True)
class FaultAbort:
    """A gRPC status (its number) for a fraction of the calls; None takes it from the request's headers."""

    code: int | None
    fraction: Fraction


@dataclass(frozen=True, slots=True)
class FaultPolicy:
    """envoy.extensions.filters.http.fault.v3.HTTPFault (gRFC A33)."""

    delay: FaultDelay | None = None
    abort: FaultAbort | None = None
    max_active: int | None = None


@dataclass(frozen=True, slots=True)
class FaultFilter:
    """A fault filter by its name in the listener's chain, or an override of it further down (gRFC A39)."""

    name: str
    policy: FaultPolicy


@dataclass(frozen=True, slots=True)
class WeightedCluster:
    """One choice of envoy.config.route.v3.WeightedCluster."""

    name: str
    weight: int
    faults: tuple[FaultFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterAction:
    """Forward to one of these clusters, drawn by weight; a plain `cluster` is a list of one."""

    clusters: tuple[WeightedCluster, ...]
    max_stream_duration: float | None = None
    """Seconds; 0 is no limit, None leaves it to the listener (gRFC A31)."""
    retry: RetryPolicy | None = None


@dataclass(frozen=True, slots=True)
class OtherAction:
    """An action a gRPC call cannot follow (redirect, direct response …): the call fails (gRFC A31)."""

    what: str


Action: TypeAlias = ClusterAction | OtherAction


@dataclass(frozen=True, slots=True)
class Route:
    """envoy.config.route.v3.Route."""

    match: RouteMatch
    action: Action
    name: str = ""
    index: int = 0
    """Its place in its virtual host, from 0."""
    faults: tuple[FaultFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """envoy.config.route.v3.VirtualHost."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    retry: RetryPolicy | None = None
    faults: tuple[FaultFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """envoy.config.route.v3.RouteConfiguration."""

    name: str
    virtual_hosts: tuple[VirtualHost, ...]


# --- listener ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listener:
    """An api_listener: an HttpConnectionManager with its routes by name (RDS) or inline."""

    name: str
    route_config_name: str | None = None
    route_config: RouteConfig | None = None
    max_stream_duration: float | None = None
    faults: tuple[FaultFilter, ...] = ()


# --- clusters and endpoints -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cluster:
    """envoy.config.cluster.v3.Cluster of type EDS."""

    name: str
    eds_name: str
    """The EDS resource with its endpoints; the cluster's own name where none is given."""
    lb_policy: str = "ROUND_ROBIN"


class Health(enum.Enum):
    """envoy.config.core.v3.HealthStatus, folded to what decides."""

    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    DRAINING = "DRAINING"
    TIMEOUT = "TIMEOUT"
    DEGRADED = "DEGRADED"

    @property
    def usable(self) -> bool:
        return self in (Health.UNKNOWN, Health.HEALTHY)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and what is known of its health."""

    ip: str
    port: int
    health: Health = Health.UNKNOWN

    @property
    def address(self) -> str:
        """`ip:port`, with an IPv6 address in brackets."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class LocalityName:
    """region/zone/sub_zone."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""

    def __str__(self) -> str:
        return "/".join((self.region, self.zone, self.sub_zone)).rstrip("/") or "-"


@dataclass(frozen=True, slots=True)
class Locality:
    """envoy.config.endpoint.v3.LocalityLbEndpoints with a weight above 0."""

    name: LocalityName
    weight: int
    priority: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """envoy.config.endpoint.v3.ClusterLoadAssignment."""

    name: str
    localities: tuple[Locality, ...] = ()


Resource: TypeAlias = Listener | RouteConfig | Cluster | Endpoints
