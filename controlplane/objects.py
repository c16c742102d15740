"""What the documents say, as frozen objects. Names are Istio's; durations are nanoseconds.

Equality is by content: places (file, line) do not take part, so that moving an object changes nothing served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from controlplane.edits import CorsPolicy, Headers, Rewrite
from controlplane.replies import DirectResponse, Redirect
from controlplane.stringmatch import StringMatch
from controlplane.trafficpolicy import TrafficPolicy

GROUP = "networking.istio.io"
VERSIONS = ("v1", "v1beta1", "v1alpha3")


class ObjectKey(NamedTuple):
    """What makes an object the same object."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: the field path and its line."""

    field: str
    line: int


@dataclass(frozen=True, slots=True)
class Meta:
    """An object's identity and labels. `created` is the creationTimestamp as written, "" where absent."""

    kind: str
    version: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    created: str
    file: str = field(compare=False)
    document: int = field(compare=False)
    line: int = field(compare=False)

    @property
    def key(self) -> ObjectKey:
        """What makes it the same object."""
        return ObjectKey(self.kind, self.namespace, self.name)

    @property
    def age(self) -> tuple[str, str, str]:
        """Istio's order among objects: by creation time, then name, then namespace."""
        return (self.created, self.name, self.namespace)


@dataclass(frozen=True, slots=True)
class HttpMatch:
    """One entry of `match`; all of its conditions must hold."""

    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: tuple[tuple[str, StringMatch], ...] = ()
    without_headers: tuple[tuple[str, StringMatch], ...] = ()
    query: tuple[tuple[str, StringMatch], ...] = ()
    ignore_uri_case: bool = False
    port: int = 0
    source_labels: Mapping[str, str] = field(default_factory=dict)
    source_namespace: str = ""
    gateways: tuple[str, ...] = ()
    stat_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a route leads; `host` is fully resolved, port 0 is the port the call came for."""

    host: str
    subset: str = ""
    port: int = 0
    weight: int = 0
    headers: Headers | None = None
    place: Place = field(default=Place("", 0), compare=False)


@dataclass(frozen=True, slots=True)
class Mirror:
    """A second destination for a share of the calls, in a million; None for all, counted in a hundred."""

    destination: Destination
    millionths: int | None = None
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class Retries:
    """A retry policy; `attempts` 0 turns retries off."""

    attempts: int = 0
    per_try_timeout: int | None = None
    retry_on: str = ""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: int | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """An injected delay, for parts in a million of the calls, or where that is None, in a hundred."""

    fixed_delay: int
    millionths: int | None
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Abort:
    """An injected failure, by HTTP or by gRPC status; parts in a million of the calls."""

    http_status: int | None
    grpc_status: int | None
    millionths: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """What to inject into the calls of a route."""

    delay: Delay | None
    abort: Abort | None


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One rule of a VirtualService."""

    name: str = ""
    matches: tuple[HttpMatch, ...] = ()
    destinations: tuple[Destination, ...] = ()
    timeout: int | None = None
    retries: Retries | None = None
    fault: Fault | None = None
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    rewrite: Rewrite | None = None
    headers: Headers | None = None
    cors: CorsPolicy | None = None
    mirror: Mirror | None = None
    mirrors: tuple[Mirror, ...] = ()
    delegate: tuple[str, str] | None = None
    """Namespace and name of the VirtualService whose routes stand for this one."""
    place: Place = field(default=Place("", 0), compare=False)


@dataclass(frozen=True, slots=True)
class VirtualService:
    """Routes for hosts, which are fully resolved. One without hosts is a delegate, for others to refer to."""

    meta: Meta
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    http: tuple[HttpRoute, ...]
    export_to: tuple[str, ...] = ()
    host_places: tuple[Place, ...] = field(default=(), compare=False)

    @property
    def in_mesh(self) -> bool:
        """Whether it applies to calls inside the mesh, and not at gateways alone."""
        return not self.gateways or "mesh" in self.gateways


@dataclass(frozen=True, slots=True)
class Subset:
    """A named part of a service's endpoints, by their labels."""

    name: str
    labels: Mapping[str, str]
    policy: TrafficPolicy | None = None
    place: Place = field(default=Place("", 0), compare=False)


@dataclass(frozen=True, slots=True)
class DestinationRule:
    """The subsets and the policy of a host, which is fully resolved, for those whom `selector` matches."""

    meta: Meta
    host: str
    subsets: tuple[Subset, ...]
    policy: TrafficPolicy | None = None
    export_to: tuple[str, ...] = ()
    selector: Mapping[str, str] | None = None
    host_place: Place = field(default=Place("", 0), compare=False)


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a service; `target_port` 0 is the same number."""

    number: int
    name: str
    protocol: str
    target_port: int = 0

    @property
    def is_http(self) -> bool:
        """Whether Istio routes it as HTTP (or would find out by looking)."""
        return self.protocol.lower() in ("", "http", "http2", "grpc", "grpc-web", "http_proxy")


@dataclass(frozen=True, slots=True)
class Workload:
    """An endpoint: a WorkloadEntry, or an inline one of a ServiceEntry. `weight` 0 counts as 1.

    `name` and `namespace` are those of the WorkloadEntry, "" for an inline one.
    """

    address: str
    ports: Mapping[str, int]
    labels: Mapping[str, str]
    locality: str = ""
    weight: int = 0
    name: str = ""
    namespace: str = ""
    service_account: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadEntry:
    """A workload that a ServiceEntry's selector may choose."""

    meta: Meta
    workload: Workload


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """A service; `selector` None means its inline endpoints. Only STATIC ones have endpoints for a client."""

    meta: Meta
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str] | None
    endpoints: tuple[Workload, ...]
    export_to: tuple[str, ...] = ()
    resolution: str = "STATIC"
    selector_place: Place = field(default=Place("", 0), compare=False)


@dataclass(frozen=True, slots=True)
class Inert:
    """An object of a kind that has no effect here; kept, so that it is seen and may be deleted."""

    meta: Meta
    api_version: str


Object = VirtualService | DestinationRule | ServiceEntry | WorkloadEntry | Inert


def is_effective(thing: Object) -> bool:
    """Whether the object can change what a client is told."""
    if isinstance(thing, VirtualService):
        return thing.in_mesh
    return not isinstance(thing, Inert)
