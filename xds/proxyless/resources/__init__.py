"""xDS resources as frozen structs, free of protobuf.

`parse/` makes them from the wire, everything else reads them. Equality is by value, so that a rebuilt
resource that says the same is the same. Durations are seconds.

What there are thousands of is nothing to the garbage collector (`gc=False`): a value that is made of others
and never changes is in no cycle.
"""

from __future__ import annotations

from typing import TypeAlias

from .clusters import (
    AggregateDiscovery,
    Cluster,
    Discovery,
    DnsDiscovery,
    EdsDiscovery,
    LbPolicy,
    OutlierDetection,
)
from .effects import (
    NO_EDITS,
    FaultAbort,
    FaultDelay,
    FaultFilter,
    FaultPolicy,
    HashCookie,
    HashPolicy,
    HeaderEdit,
    HeaderEdits,
    MessageEdits,
    PathRewrite,
    RetryPolicy,
)
from .endpoints import (
    Drop,
    Endpoint,
    Endpoints,
    Health,
    Locality,
    LocalityName,
)
from .kinds import (
    KIND_OF_TYPE_URL,
    Kind,
)
from .listener import (
    Listener,
)
from .matching import (
    EVERY_CALL,
    Fraction,
    HeaderMatch,
    PathMatch,
    PresentMatch,
    QueryMatch,
    RangeMatch,
    RouteMatch,
    StringMatch,
)
from .routes import (
    Action,
    ClusterAction,
    DirectResponse,
    Mirror,
    OtherAction,
    RedirectAction,
    Route,
    RouteConfig,
    VirtualHost,
    WeightedCluster,
)

__all__ = [
    "EVERY_CALL",
    "KIND_OF_TYPE_URL",
    "NO_EDITS",
    "Action",
    "AggregateDiscovery",
    "Cluster",
    "ClusterAction",
    "DirectResponse",
    "Discovery",
    "DnsDiscovery",
    "Drop",
    "EdsDiscovery",
    "Endpoint",
    "Endpoints",
    "FaultAbort",
    "FaultDelay",
    "FaultFilter",
    "FaultPolicy",
    "Fraction",
    "HashCookie",
    "HashPolicy",
    "HeaderEdit",
    "HeaderEdits",
    "HeaderMatch",
    "Health",
    "Kind",
    "LbPolicy",
    "Listener",
    "Locality",
    "LocalityName",
    "MessageEdits",
    "Mirror",
    "OtherAction",
    "OutlierDetection",
    "PathMatch",
    "PathRewrite",
    "PresentMatch",
    "QueryMatch",
    "RangeMatch",
    "RedirectAction",
    "Resource",
    "RetryPolicy",
    "Route",
    "RouteConfig",
    "RouteMatch",
    "StringMatch",
    "VirtualHost",
    "WeightedCluster",
]

Resource: TypeAlias = Listener | RouteConfig | Cluster | Endpoints
