"""More of the table of routes: the listener's filters, limits of time, retries, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.filters.http.buffer.v3.buffer_pb2 import Buffer

from tests.fakes.resources import route, virtual_host
from tests.parity.cases import (
    DEADLINE,
    DENIED,
    FORBID,
    REFUSED,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    abort,
    act,
    fails,
    faulty,
    host,
    numbered,
    path,
    retried,
    share,
    to_v1,
)

_HTTP: Final = "type.googleapis.com/envoy.extensions.filters.http"
FAULT: Final = "envoy.filters.http.fault"
ROUTER: Final = {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_HTTP}.router.v3.Router"}}
BUFFER: Final = {
    "name": "buffer",
    "typed_config": {"@type": f"type.googleapis.com/{Buffer.DESCRIPTOR.full_name}", "max_request_bytes": 9},
}
NO_BUFFER: Final = {"@type": f"{_HTTP}.buffer.v3.BufferPerRoute", "disabled": True}
BARE: Final = {"name": "x"}
NOTHING: Final = {"@type": f"{_HTTP}.fault.v3.HTTPFault"}
FORBIDDEN: Final = {**NOTHING, "abort": FORBID}


def fault(name: str = FAULT, config: Mapping[str, Any] = NOTHING, **fields: Any) -> dict[str, Any]:
    """A fault filter of a chain."""
    return {"name": name, "typed_config": config, **fields}


def chain(*filters: Mapping[str, Any]) -> dict[str, Any]:
    """The listener's filters."""
    return {"http_filters": filters}


def override(config: Mapping[str, Any], name: str = FAULT) -> list[dict[str, Any]]:
    """To v1, with a filter's configuration of the route's own."""
    return [{**route("v1"), "typed_per_filter_config": {name: config}}]


def wrapped(config: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A configuration in a FilterConfig."""
    inner = {} if config is None else {"config": config}
    return {"@type": f"type.googleapis.com/{FilterConfig.DESCRIPTOR.full_name}", **inner, **fields}


def tried_again(on: str) -> list[dict[str, Any]]:
    """To v1, within three seconds, each attempt within a tenth of them."""
    policy = {"retry_on": on, "per_try_timeout": "0.3s"}
    return to_v1(retry_policy=policy, max_stream_duration={"max_stream_duration": "3s"})


def retry_on(conditions: str) -> list[dict[str, Any]]:
    return to_v1(retry_policy={"retry_on": conditions})


KNOWN = "Envoy has the filter; to gRFC A39 one that is not known refuses the resource"
BY_NAME = "Envoy tells filters apart by their place; gRFC A39 demands that their names do"
ROUTE_TIMEOUT = "gRFC A31: only max_stream_duration limits a call of gRPC; Envoy has timeouts of its own"
PER_TRY = "gRPC ignores per_try_timeout; Envoy and ours go by it"
PER_TRY_ENDS = "gRPC ignores per_try_timeout; Envoy ends with 504, which HTTP's mapping makes UNAVAILABLE"

ROWS = [
    # --- filters ---
    Case("filters: the router alone", to_v1(), [], "v1", hcm=chain(ROUTER)),
    Case("filters: no router", to_v1(), [], REFUSED, hcm=chain(fault())),
    Case("filters: the router is not the last", to_v1(), [], REFUSED, hcm=chain(ROUTER, fault())),
    Case("filters: two routers", to_v1(), [], REFUSED, hcm=chain(ROUTER, {**ROUTER, "name": "r"})),
    Case(
        "filters: one twice",
        to_v1(),
        [],
        REFUSED,
        envoy="v1",
        why=BY_NAME,
        hcm=chain(fault(), fault(), ROUTER),
    ),
    Case("filters: without a name", to_v1(), [], REFUSED, hcm=chain(fault(""), ROUTER)),
    Case("filters: not known", to_v1(), [], REFUSED, envoy="v1", why=KNOWN, hcm=chain(BUFFER, ROUTER)),
    Case(
        "filters: not known, optional", to_v1(), [], "v1", hcm=chain({**BUFFER, "is_optional": True}, ROUTER)
    ),
    Case("filters: without a type", to_v1(), [], REFUSED, hcm=chain(BARE, ROUTER)),
    Case(
        "filters: without a type, optional",
        to_v1(),
        [],
        "v1",
        REFUSED,
        "gRPC wants the type of a filter even where it is to be left out; Envoy does not",
        hcm=chain({**BARE, "is_optional": True}, ROUTER),
    ),
    Case("filters: fault", to_v1(), [], DENIED, hcm=chain(fault(config=FORBIDDEN), ROUTER)),
    Case("filters: fault, lifted", override(NOTHING), [], "v1", hcm=chain(fault(config=FORBIDDEN), ROUTER)),
    Case("filters: two faults", to_v1(), [], DENIED, hcm=chain(fault("a"), fault("b", FORBIDDEN), ROUTER)),
    Case(
        "filters: one of two overridden",
        override(NOTHING, "b"),
        [],
        "v1",
        hcm=chain(fault("a"), fault("b", FORBIDDEN), ROUTER),
    ),
    Case(
        "filters: the other overridden",
        override(NOTHING, "a"),
        [],
        DENIED,
        hcm=chain(fault("a"), fault("b", FORBIDDEN), ROUTER),
    ),
    Case("filters: override of none", override(FORBIDDEN, "nobody"), [], "v1"),
    Case("filters: override not known", override(NO_BUFFER, "b"), [], REFUSED, envoy="v1", why=KNOWN),
    Case(
        "filters: override not known, optional", override(wrapped(NO_BUFFER, is_optional=True), "b"), [], "v1"
    ),
    Case("filters: override, wrapped", override(wrapped(FORBIDDEN)), [], DENIED),
    Case(
        "filters: override that disables",
        override(wrapped(disabled=True)),
        [],
        "v1",
        REFUSED,
        "Envoy knows FilterConfig.disabled; gRPC misses a config",
        hcm=chain(fault(config=FORBIDDEN), ROUTER),
    ),
    Case("filters: disabled", to_v1(), [], "v1", hcm=chain(fault(config=FORBIDDEN, disabled=True), ROUTER)),
    Case(
        "filters: disabled, enabled by the route",
        override(FORBIDDEN),
        [],
        DENIED,
        hcm=chain(fault(disabled=True), ROUTER),
    ),
    Case("filters: wrapped in nothing", override(wrapped()), [], REFUSED),
    # --- what else a listener says ---
    Case(
        "listener: trusted hops",
        to_v1(),
        [],
        REFUSED,
        envoy="v1",
        why="gRFC A41 refuses what would need the caller's address; Envoy has that",
        hcm={"xff_num_trusted_hops": 1},
    ),
    Case(
        "listener: whence the caller's address",
        to_v1(),
        [],
        REFUSED,
        hcm={"original_ip_detection_extensions": [BARE]},
    ),
    Case(
        "listener: a limit before time",
        to_v1(),
        [],
        REFUSED,
        hcm={"common_http_protocol_options": {"max_stream_duration": "-1s"}},
    ),
    # --- faults ---
    Case(
        "fault: delay before time",
        faulty(delay={"fixed_delay": "-1s", "percentage": share(100)}),
        [],
        REFUSED,
    ),
    *(
        Case(
            f"fault: http {http}",
            abort(http_status=http),
            [],
            REFUSED,
            UNKNOWN,
            "Envoy demands a status from 200 to 599; gRPC makes UNKNOWN of any",
        )
        for http in (99, 600)
    ),
    Case("fault: none at a time", faulty(abort=FORBID, max_active_faults=0), [], "v1"),
    # --- limits ---
    Case(
        "limit: timeout of the route",
        to_v1(timeout="0.05s"),
        fails("SLOW 1"),
        "v1",
        envoy=UNAVAILABLE,
        why=ROUTE_TIMEOUT,
    ),
    Case(
        "limit: idle timeout",
        to_v1(idle_timeout="0.05s"),
        fails("SLOW 1"),
        "v1",
        envoy=UNAVAILABLE,
        why=ROUTE_TIMEOUT,
    ),
    Case(
        "limit: the caller's own",
        to_v1(max_stream_duration={"grpc_timeout_header_max": "0s"}),
        fails("SLOW 1"),
        "v1",
    ),
    # --- retries ---
    *(
        Case(f"each attempt's limit: {on}", tried_again(on), fails("HANG 1"), "v1", DEADLINE, PER_TRY)
        for on in ("5xx", "gateway-error", "reset")
    ),
    Case(
        "each attempt's limit: deadline-exceeded",
        tried_again("deadline-exceeded"),
        fails("HANG 1"),
        "v1",
        DEADLINE,
        "gRPC ignores per_try_timeout; to ours the attempt ended so; to Envoy it is a reset",
        envoy=UNAVAILABLE,
    ),
    Case(
        "each attempt's limit: unavailable",
        tried_again("unavailable"),
        fails("HANG 1"),
        DEADLINE,
        envoy=UNAVAILABLE,
        why=PER_TRY_ENDS,
    ),
    Case(
        "each attempt's limit: twice",
        tried_again("5xx"),
        fails("HANG 2"),
        DEADLINE,
        envoy=UNAVAILABLE,
        why=PER_TRY_ENDS,
    ),
    *(
        Case(f"retry on {code}", retry_on(code.lower().replace("_", "-")), fails(f"{code} 1"), "v1")
        for code in ("DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "CANCELLED")
    ),
    Case("retry on reset: a status is none", retry_on("reset"), fails("UNAVAILABLE 1"), UNAVAILABLE),
    Case("retry on what nobody knows", retry_on("nonsense"), fails("UNAVAILABLE 1"), UNAVAILABLE),
    Case(
        "retry: waits that shrink",
        retried(retry_back_off={"base_interval": "1s", "max_interval": "0.5s"}),
        [],
        REFUSED,
        "v1",
        "Envoy refuses a max_interval below base_interval; gRPC takes it",
    ),
    Case(
        "retry: no wait",
        retried(retry_back_off={"base_interval": "0s"}),
        [],
        REFUSED,
        UNAVAILABLE,
        "Envoy demands a base_interval above 0; gRPC takes it, then fails each call",
    ),
    # --- what is refused ---
    Case(
        "a plug-in for the cluster", [act(route={"cluster_specifier_plugin": "x"}), route("v1")], [], REFUSED
    ),
    Case(
        "names of routes that are equal",
        [{**route("v2"), "name": "a"}, {**route("v1"), "name": "a"}],
        [],
        "v2",
    ),
    Case(
        "virtual hosts of one name",
        [virtual_host("a", ["x"], []), virtual_host("a", ["*"], [route("v1")])],
        [],
        "v1",
    ),
    Case(
        "virtual host without a name",
        [virtual_host("", ["*"], [route("v1")])],
        [],
        "v1",
        envoy=REFUSED,
        why="Envoy demands a name, for statistics; gRPC has no use for it",
    ),
    Case(
        "domains that differ in case",
        [virtual_host("a", ["X.y"], []), virtual_host("b", ["x.Y", "*"], [route("v1")])],
        [],
        REFUSED,
        "v1",
        "Envoy demands that a domain is unique, whatever its case; gRPC takes the first",
    ),
    Case(
        "a virtual host for TLS",
        host([route("v1")], require_tls="ALL"),
        [],
        "v1",
        envoy=UNKNOWN,
        why="Envoy redirects to https; gRFC A28 has no such thing",
    ),
    Case(
        "a hash of nothing",
        to_v1(hash_policy=[{}]),
        [],
        "v1",
        envoy=REFUSED,
        why="Envoy demands a specifier; gRFC A42 ignores policies that are not known",
    ),
    Case(
        "a hash of a broken regex",
        to_v1(
            hash_policy=[
                {
                    "header": {
                        "header_name": "a",
                        "regex_rewrite": {"pattern": {"regex": "("}, "substitution": "x"},
                    }
                }
            ]
        ),
        [],
        REFUSED,
    ),
    Case("another path", to_v1(prefix_rewrite="/x"), [], "v1"),
    Case("another host", to_v1(host_rewrite_literal="x"), [], "v1"),
    Case(
        "a matcher of CONNECT",
        [act({"connect_matcher": {}}, route={"cluster": "v2"}), route("v1")],
        [],
        REFUSED,
        envoy="v1",
        why="Envoy matches it, which no gRPC call does; gRPC refuses what it does not know",
    ),
    Case(
        "a matcher of metadata of filters",
        path(
            prefix="",
            dynamic_metadata=[{"filter": "x", "path": [{"key": "a"}], "value": {"present_match": True}}],
        ),
        [],
        REFUSED,
        "v2",
        "a matcher that is not understood never widens a route; gRPC ignores it, Envoy knows it",
        envoy="v1",
    ),
    Case("path separated prefix: ends in a slash", path(path_separated_prefix="/a/"), [], REFUSED),
]

CASES = numbered(ROWS, "effect")
"""Each as in `rows.CASES`."""
