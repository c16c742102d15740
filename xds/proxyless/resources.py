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
    per_try_timeout: float | None = None
    """Seconds one attempt may take (Envoy's per_try_timeout)."""
    retry_slow: bool = False
    """Whether another attempt follows one that took longer than that."""

    @property
    def retries(self) -> bool:
        """Whether there is anything it retries."""
        return bool(self.retry_on) or self.retry_slow


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
class HashPolicy:
    """What a call's hash is made of: a header, or the channel where there is none (gRFC A42)."""

    header: str | None = None
    regex: str | None = None
    substitution: str = ""
    """What replaces each match of `regex` in the header's value; \\1 to \\9 are its groups."""
    terminal: bool = False
    """The policies after it do not count once it has given a hash."""


@dataclass(frozen=True, slots=True)
class HeaderEdit:
    """envoy.config.core.v3.HeaderValueOption; `%REQ(name)%` in its value is a header of the request."""

    how: Literal["append", "add_if_absent", "overwrite", "overwrite_if_exists"]
    name: str
    value: str
    keep_empty: bool = False


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """What one level of the configuration does to headers: it removes first, then adds in order."""

    remove: tuple[str, ...] = ()
    add: tuple[HeaderEdit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.remove or self.add)


@dataclass(frozen=True, slots=True)
class MessageEdits:
    """What one level does to the headers of requests and responses."""

    request: HeaderEdits = HeaderEdits()
    response: HeaderEdits = HeaderEdits()


NO_EDITS = MessageEdits()


@dataclass(frozen=True, slots=True)
class WeightedCluster:
    """One choice of envoy.config.route.v3.WeightedCluster."""

    name: str
    weight: int
    faults: tuple[FaultFilter, ...] = ()
    edits: MessageEdits = NO_EDITS


@dataclass(frozen=True, slots=True)
class Mirror:
    """A share of the calls is sent to this cluster as well (RequestMirrorPolicy)."""

    cluster: str
    fraction: Fraction = Fraction(100)
    shadow_suffix: bool = True
    """The copy's authority ends in `-shadow`, as Envoy's does."""


@dataclass(frozen=True, slots=True)
class ClusterAction:
    """Forward to one of these clusters, drawn by weight; a plain `cluster` is a list of one."""

    clusters: tuple[WeightedCluster, ...]
    max_stream_duration: float | None = None
    """Seconds; 0 is no limit, None leaves it to the listener (gRFC A31)."""
    retry: RetryPolicy | None = None
    hash_policies: tuple[HashPolicy, ...] = ()
    mirrors: tuple[Mirror, ...] = ()


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
    edits: MessageEdits = NO_EDITS


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """envoy.config.route.v3.VirtualHost."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    retry: RetryPolicy | None = None
    faults: tuple[FaultFilter, ...] = ()
    edits: MessageEdits = NO_EDITS


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """envoy.config.route.v3.RouteConfiguration."""

    name: str
    virtual_hosts: tuple[VirtualHost, ...]
    edits: MessageEdits = NO_EDITS
    specific_edits_win: bool = False
    """Edit by route configuration first, weighted cluster last, so that the last word is the latter's."""


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
class LbPolicy:
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


@dataclass(frozen=True, slots=True)
class EdsDiscovery:
    """Endpoints by the EDS resource of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class DnsDiscovery:
    """Endpoints by looking up a host name (Envoy's LOGICAL_DNS); seconds between two look-ups."""

    host: str
    port: int
    refresh: float = 5.0

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AggregateDiscovery:
    """Other clusters, the first of which that can serve does (gRFCs A37, A75)."""

    clusters: tuple[str, ...]


Discovery: TypeAlias = EdsDiscovery | DnsDiscovery | AggregateDiscovery


@dataclass(frozen=True, slots=True)
class OutlierDetection:
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


@dataclass(frozen=True, slots=True)
class Cluster:
    """envoy.config.cluster.v3.Cluster."""

    name: str
    discovery: Discovery
    lb_policy: LbPolicy = LbPolicy()
    max_requests: int = 1024
    """Calls in flight in the whole process, above which a call fails (gRFC A32)."""
    outlier_detection: OutlierDetection | None = None


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
    weight: int = 1

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
class Drop:
    """A share of the calls that the control plane wants refused (DropOverload)."""

    category: str
    fraction: Fraction


@dataclass(frozen=True, slots=True)
class Endpoints:
    """envoy.config.endpoint.v3.ClusterLoadAssignment."""

    name: str
    localities: tuple[Locality, ...] = ()
    drops: tuple[Drop, ...] = ()
    overprovisioning: int | None = None
    """In percent; None hands over to the next priority only once nothing of one can be reached."""


Resource: TypeAlias = Listener | RouteConfig | Cluster | Endpoints
