"""What the tables of routes are made of: routes, a call, and where all clients must send it.

A row is one pair of routes and metadata. Where `proxyless` means to differ from gRPC's client or from Envoy,
`grpc` and `envoy` say what those do with the call, and `why` says why ours does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2  # noqa: F401 - for Any in JSON
from google.protobuf.json_format import ParseDict
from grpc import StatusCode

from tests.fakes.resources import header, listener, route, route_config, virtual_host

BACKENDS = ("v1", "v2", "v3")
METHOD = "/bookinfo.v1.Reviews/GetReviews"

UNAVAILABLE: Final = StatusCode.UNAVAILABLE
DEADLINE: Final = StatusCode.DEADLINE_EXCEEDED
DENIED: Final = StatusCode.PERMISSION_DENIED
UNKNOWN: Final = StatusCode.UNKNOWN
UNIMPLEMENTED: Final = StatusCode.UNIMPLEMENTED
REFUSED: Final = "refused"
"""The client NACKs the routes; there being no earlier version, its calls fail with UNAVAILABLE."""

Expected: TypeAlias = str | StatusCode | Mapping[str, float]
"""A backend, a failure, `REFUSED`, or the shares of many calls."""


@dataclass(frozen=True)
class Case:
    """One row."""

    name: str
    routes: Sequence[Mapping[str, Any] | VirtualHost]
    """Routes of one virtual host with the domain `*`, or virtual hosts."""
    metadata: Sequence[tuple[str, str | bytes]]
    expected: Expected
    grpc: Expected | None = None
    """What gRPC's client does, where it is not what ours does."""
    why: str = ""
    """Why ours differs from a peer."""
    envoy: Expected | None = None
    """What Envoy does, where it is not what ours does."""
    method: str = METHOD
    listener: str = ""
    """The target's name, which is the authority of its calls; empty: one of its own."""
    hcm: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the HttpConnectionManager."""

    @property
    def target(self) -> str:
        return f"xds:///{self.listener}"

    @property
    def resources(self) -> list[Any]:
        """The listener and its routes, under this row's name."""
        if self.routes and isinstance(self.routes[0], VirtualHost):
            routes = RouteConfiguration(name=self.listener, virtual_hosts=self.routes)
        else:
            routes = route_config(self.listener, self.routes)
        return [listener(self.listener, **self.hcm), routes]


# --- ways to say metadata and routes ----------------------------------------------------------------------


def env(*values: str) -> list[tuple[str, str | bytes]]:
    """Metadata with these values of `env`."""
    return [("env", value) for value in values]


def age(*values: str) -> list[tuple[str, str | bytes]]:
    """Metadata with these values of `age`."""
    return [("age", value) for value in values]


def baggage(*values: str) -> list[tuple[str, str | bytes]]:
    """Metadata with these values of `baggage`."""
    return [("baggage", value) for value in values]


def fails(how: str, where: str = "") -> list[tuple[str, str | bytes]]:
    """Metadata that asks the backends (or the one named) for trouble: see `conftest.as_told`."""
    return [("x-fail", how), ("x-fail-at", where)]


def when(name: str, **test: Any) -> list[dict[str, Any]]:
    """To v2 where the header passes the test, else to v1."""
    return [route("v2", headers=[header(name, **test)]), route("v1")]


def path(**match: Any) -> list[dict[str, Any]]:
    """To v2 where the path matches, else to v1."""
    return [route("v2", **match), route("v1")]


def unless(name: str, **test: Any) -> list[dict[str, Any]]:
    """To v2 where the header fails the test by `invert_match`, else to v1."""
    return when(name, **test, invert_match=True)


def env_like(pattern: str) -> list[dict[str, Any]]:
    """To v2 where `env` matches the regex, else to v1."""
    return when("env", safe_regex_match=regex(pattern))


def between(start: int, end: int, **more: Any) -> list[dict[str, Any]]:
    """To v2 where `age` lies in [start, end), else to v1."""
    return when("age", range_match={"start": start, "end": end}, **more)


def outside(start: int, end: int) -> list[dict[str, Any]]:
    """To v2 where `age` does not lie in [start, end), else to v1."""
    return between(start, end, invert_match=True)


def regex(pattern: str) -> dict[str, Any]:
    return {"regex": pattern}


def text(**match: Any) -> dict[str, Any]:
    """A `string_match` that ignores case."""
    return {"string_match": {**match, "ignore_case": True}}


def serve(**domains: Iterable[str]) -> list[VirtualHost]:
    """A virtual host a backend, for these domains."""
    return [virtual_host(name, tuple(each), [route(name)]) for name, each in domains.items()]


def act(match: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A route of whatever fields."""
    return {"match": match or {"prefix": ""}, **fields}


def to(cluster: str, /, **action: Any) -> list[dict[str, Any]]:
    """To this cluster, with more fields of the action."""
    return [act(route={"cluster": cluster, **action})]


def to_v1(**action: Any) -> list[dict[str, Any]]:
    """To v1, with more fields of the action."""
    return to("v1", **action)


def share(numerator: int, denominator: str = "HUNDRED") -> dict[str, Any]:
    return {"numerator": numerator, "denominator": denominator}


def fraction(numerator: int, denominator: str = "HUNDRED") -> list[dict[str, Any]]:
    """To v2 for a share of the calls, else to v1."""
    return path(prefix="", runtime_fraction={"default_value": share(numerator, denominator)})


def weighted(*clusters: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [act(route={"weighted_clusters": {"clusters": clusters}})]


def fault(**policy: Any) -> dict[str, Any]:
    """A `typed_per_filter_config` with this fault."""
    kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
    return {"typed_per_filter_config": {"envoy.filters.http.fault": {"@type": kind, **policy}}}


FAULT_FILTER: Final = "envoy.filters.http.fault"
_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http"
ROUTER: Final = {"name": "router", "typed_config": {"@type": f"{_TYPE}.router.v3.Router"}}
UNKNOWN_CONFIG: Final = {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}
"""The configuration of a filter that no client has."""


def fault_filter(name: str = FAULT_FILTER, /, **policy: Any) -> dict[str, Any]:
    """A fault filter for the chain of a listener."""
    return {"name": name, "typed_config": {"@type": f"{_TYPE}.fault.v3.HTTPFault", **policy}}


def chain(*filters: Mapping[str, Any]) -> dict[str, Any]:
    """More of a listener: just these filters."""
    return {"http_filters": list(filters)}


def override(config: Mapping[str, Any], name: str = FAULT_FILTER) -> dict[str, Any]:
    """A `typed_per_filter_config` of a route."""
    return {"typed_per_filter_config": {name: config}}


def wrapped(config: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A FilterConfig around a filter's configuration."""
    inner = {} if config is None else {"config": config}
    return {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", **inner, **more}


def overridden(config: Mapping[str, Any], name: str = FAULT_FILTER) -> list[dict[str, Any]]:
    """To v1, with this override."""
    return [{**route("v1"), **override(config, name)}]


def faulty(**policy: Any) -> list[dict[str, Any]]:
    """To v1, with this fault."""
    return [{**route("v1"), **fault(**policy)}]


def abort(percent: int = 100, **what: Any) -> list[dict[str, Any]]:
    """To v1, unless this abort comes first."""
    return faulty(abort={"percentage": share(percent), **what})


def retried(**policy: Any) -> list[dict[str, Any]]:
    """To v1, with Istiod's retry policy changed so."""
    return to_v1(retry_policy={**ISTIO_RETRIES, **policy})


def host(routes: Iterable[Mapping[str, Any]], **fields: Any) -> list[VirtualHost]:
    """A virtual host for everything, with these fields."""
    return [ParseDict(fields, virtual_host("vh", ["*"], routes))]


ISTIO_RETRIES: Final = {
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    "num_retries": 2,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
                ".PreviousHostsPredicate"
            },
        }
    ],
    "host_selection_retry_max_attempts": 5,
    "retriable_status_codes": [503],
}
"""What Istiod puts on every route that says nothing of retries."""

SOON: Final = {"max_stream_duration": "0.1s"}
A: Final = header("a", exact_match="1")
FORBID: Final = {"grpc_status": 7, "percentage": share(100)}


def numbered(rows: Iterable[Case], stem: str) -> tuple[Case, ...]:
    """The rows, each with a listener name of its own."""
    return tuple(
        replace(each, listener=each.listener or f"{stem}-{i}.default.svc.cluster.local:9080")
        for i, each in enumerate(rows)
    )
