"""Every rule that NACKs, one row each: what is wrong, and the resource and exact field the NACK names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy.config.route.v3.route_components_pb2 import FilterConfig, RouteMatch
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from proxyless.errors import ResourceError
from proxyless.parse import parse_resource
from proxyless.resources import KIND_OF_TYPE_URL, Kind
from xds.type.v3.typed_struct_pb2 import TypedStruct

from tests.fakes import resources as fake

FAULT_URL = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
ROUTER_URL = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
UNKNOWN_URL = "type.googleapis.com/google.protobuf.Struct"
HCM_URL = fake.type_url(fake.HttpConnectionManager())
HCM_AT = "api_listener.api_listener"


def refusal(message: Any) -> ResourceError:
    url = fake.type_url(message)
    with pytest.raises(ResourceError) as caught:
        parse_resource(KIND_OF_TYPE_URL[url], url, message.SerializeToString())
    return caught.value


def check(message: Any, field: str, reason: str) -> None:
    error = refusal(message)
    assert (error.resource, error.field) == (fake.name_of(message), field)
    assert reason in error.reason
    assert str(error) == f"{error.resource}: {field}: {error.reason}"


def packed(message: Any) -> AnyProto:
    made = AnyProto()
    made.Pack(message)
    return made


def typed_struct(url: str) -> AnyProto:
    return packed(TypedStruct(type_url=url, value=Struct()))


# --- listeners --------------------------------------------------------------------------------------------


def with_filters(*filters: Any, **hcm: Any) -> Any:
    return fake.listener("l", http_filters=list(filters), **hcm)


def http_filter(name: str, url: str = UNKNOWN_URL, **fields: Any) -> dict[str, Any]:
    value = {"value": {}} if url == UNKNOWN_URL else {}
    return {"name": name, "typed_config": {"@type": url, **value}, **fields}


ROUTER = http_filter("router", ROUTER_URL)


def without(path: str, message: Any, **instead: Any) -> Any:
    """The listener with a field of its HttpConnectionManager taken away, and others set."""
    hcm = fake.HttpConnectionManager()
    message.api_listener.api_listener.Unpack(hcm)
    *parents, last = path.split(".")
    at = hcm
    for parent in parents:
        at = getattr(at, parent)
    at.ClearField(last)
    ParseDict(instead, hcm)
    message.api_listener.api_listener.Pack(hcm)
    return message


def api_listener_of(any_proto: AnyProto) -> Any:
    made = fake.Listener(name="l")
    made.api_listener.api_listener.CopyFrom(any_proto)
    return made


@pytest.mark.parametrize(
    ("make", "field", "reason"),
    [
        (lambda: fake.Listener(name="l"), "api_listener", "is missing"),
        (lambda: api_listener_of(AnyProto()), HCM_AT, "expected an HttpConnectionManager"),
        (lambda: api_listener_of(packed(Router())), HCM_AT, "Router"),
        (
            lambda: api_listener_of(AnyProto(type_url=HCM_URL, value=b"\xff")),
            HCM_AT,
            "cannot be decoded as envoy.extensions.filters.network.http_connection_manager.v3.Http",
        ),
        (
            lambda: api_listener_of(typed_struct(HCM_URL)),
            HCM_AT,
            "a TypedStruct is not read",
        ),
        (
            lambda: fake.listener("l", xff_num_trusted_hops=1),
            f"{HCM_AT}.xff_num_trusted_hops",
            "must be 0",
        ),
        (
            lambda: fake.listener(
                "l",
                original_ip_detection_extensions=[http_filter("x")],
            ),
            f"{HCM_AT}.original_ip_detection_extensions",
            "must be empty",
        ),
        (
            lambda: fake.listener("l", common_http_protocol_options={"max_stream_duration": "-1s"}),
            f"{HCM_AT}.common_http_protocol_options.max_stream_duration.seconds",
            "-1 is not in",
        ),
        (
            lambda: with_filters(http_filter("router", ROUTER_URL, disabled=True)),
            f"{HCM_AT}.http_filters[0].disabled",
            "the router cannot be disabled",
        ),
        (lambda: without("rds", fake.listener("l")), HCM_AT, "no route_specifier is set"),
        (
            lambda: without("rds.route_config_name", fake.listener("l")),
            f"{HCM_AT}.rds.route_config_name",
            "is empty",
        ),
        (
            lambda: without("rds.config_source", fake.listener("l")),
            f"{HCM_AT}.rds.config_source",
            "must be `ads` or `self`",
        ),
        (
            lambda: without("rds", fake.listener("l"), scoped_routes={"name": "x"}),
            f"{HCM_AT}.scoped_routes",
            "is not supported",
        ),
        (
            lambda: fake.listener("l", fake.route_config("r", [{"match": {"prefix": ""}}])),
            f"{HCM_AT}.route_config.virtual_hosts[0].routes[0]",
            "has no action",
        ),
        # the chain of filters
        (lambda: with_filters(http_filter("f", FAULT_URL)), f"{HCM_AT}.http_filters", "must be the router"),
        (
            lambda: with_filters(ROUTER, http_filter("f", FAULT_URL)),
            f"{HCM_AT}.http_filters[1]",
            "'f' stands behind the router",
        ),
        (
            lambda: with_filters(ROUTER, http_filter("again", ROUTER_URL)),
            f"{HCM_AT}.http_filters[1]",
            "'again' stands behind the router",
        ),
        (
            lambda: with_filters(http_filter("x"), ROUTER),
            f"{HCM_AT}.http_filters[0]",
            "filter 'x' (google.protobuf.Struct) is not supported",
        ),
        (
            lambda: with_filters({"name": "x"}, ROUTER),
            f"{HCM_AT}.http_filters[0]",
            "(no type) is not supported",
        ),
        (
            lambda: with_filters(http_filter("x", is_optional=True)),
            f"{HCM_AT}.http_filters",
            "must be the router",
        ),
        (
            lambda: with_filters(http_filter("same", FAULT_URL), http_filter("same", ROUTER_URL)),
            f"{HCM_AT}.http_filters[1].name",
            "'same' is used twice",
        ),
        (lambda: with_filters(http_filter("", ROUTER_URL)), f"{HCM_AT}.http_filters[0].name", "is empty"),
    ],
)
def test_listeners(make: Callable[[], Any], field: str, reason: str) -> None:
    check(make(), field, reason)


def test_an_empty_chain() -> None:
    check(without("http_filters", fake.listener("l")), f"{HCM_AT}.http_filters", "must be the router")


@pytest.mark.parametrize("url", [FAULT_URL, ROUTER_URL.replace("Router", "Unknown")])
def test_a_typed_struct_in_the_chain_is_never_misread(url: str) -> None:
    hcm = fake.HttpConnectionManager()
    hcm.http_filters.add(name="f").typed_config.CopyFrom(typed_struct(url))
    hcm.http_filters.add(name="router").typed_config.Pack(Router())
    hcm.rds.route_config_name = "r"
    hcm.rds.config_source.ads.SetInParent()
    error = refusal(api_listener_of(packed(hcm)))
    assert error.field.startswith(f"{HCM_AT}.http_filters[0]")
    assert "TypedStruct" in error.reason or "Unknown" in error.reason


# --- faults, in the chain and as overrides ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "field", "reason"),
    [
        ({"delay": {}}, ".delay", "no fault_delay_secifier is set"),
        ({"delay": {"fixed_delay": "-1s"}}, ".delay.fixed_delay.seconds", "-1 is not in"),
        ({"abort": {}}, ".abort", "no error_type is set"),
        ({"abort": {"grpc_status": 17}}, ".abort.grpc_status", "17 is not a gRPC status"),
        ({"abort": {"http_status": 199}}, ".abort.http_status", "199 is not in"),
        ({"abort": {"http_status": 600}}, ".abort.http_status", "600 is not in"),
        (
            {"abort": {"grpc_status": 14, "percentage": {"denominator": 7}}},
            ".abort.percentage.denominator",
            "7 is not a known denominator",
        ),
        (
            {"delay": {"header_delay": {}, "percentage": {"denominator": 3}}},
            ".delay.percentage.denominator",
            "3 is not a known",
        ),
        # What narrows a fault to some calls must not be left out: it would hit the others too.
        ({"headers": [{"name": "x", "present_match": True}]}, ".headers", "is not supported"),
        ({"upstream_cluster": "c"}, ".upstream_cluster", "is not supported"),
        ({"downstream_nodes": ["n"]}, ".downstream_nodes", "is not supported"),
    ],
)
def test_faults(fault: dict[str, Any], field: str, reason: str) -> None:
    message = ParseDict(fault, HTTPFault())
    hcm = fake.HttpConnectionManager()
    hcm.http_filters.add(name="f").typed_config.Pack(message)
    check(api_listener_of(packed(hcm)), f"{HCM_AT}.http_filters[0]{field}", reason)
    for level, at in LEVELS:
        check(overridden(level, packed(message)), f"{at}.typed_per_filter_config['f']{field}", reason)


LEVELS = [
    ("host", "virtual_hosts[0]"),
    ("route", "virtual_hosts[0].routes[0]"),
    ("cluster", "virtual_hosts[0].routes[0].route.weighted_clusters.clusters[0]"),
]


def overridden(level: str, override: AnyProto) -> Any:
    config = fake.route_config("r", [fake.route({"c": 1})])
    host = config.virtual_hosts[0]
    at = {
        "host": host,
        "route": host.routes[0],
        "cluster": host.routes[0].route.weighted_clusters.clusters[0],
    }[level]
    at.typed_per_filter_config["f"].CopyFrom(override)
    return config


def wrapped(inner: AnyProto, **fields: Any) -> AnyProto:
    return packed(FilterConfig(config=inner, **fields))


@pytest.mark.parametrize(("level", "at"), LEVELS)
@pytest.mark.parametrize(
    ("override", "reason"),
    [
        (packed(Struct()), "override of a filter that is not supported (google.protobuf.Struct)"),
        (AnyProto(), "(no type)"),
        (wrapped(packed(Struct())), "override of a filter that is not supported (google.protobuf.Struct)"),
        (wrapped(packed(Router())), "Router"),
        (packed(FilterConfig()), "(no type)"),
        (AnyProto(type_url=FAULT_URL, value=b"\xff"), "cannot be decoded"),
        (AnyProto(type_url="t/envoy.config.route.v3.FilterConfig", value=b"\xff"), "cannot be decoded"),
        (typed_struct(FAULT_URL), "a TypedStruct is not read as"),
        (AnyProto(type_url="t/xds.type.v3.TypedStruct", value=b"\xff"), "cannot be decoded"),
    ],
)
def test_overrides(level: str, at: str, override: AnyProto, reason: str) -> None:
    check(overridden(level, override), f"{at}.typed_per_filter_config['f']", reason)


# --- route configurations ---------------------------------------------------------------------------------


def hosts(*domains: list[str]) -> Any:
    made = fake.RouteConfiguration(name="r")
    for i, each in enumerate(domains):
        made.virtual_hosts.append(fake.virtual_host(f"vh{i}", each, []))
    return made


@pytest.mark.parametrize(
    ("domains", "field", "reason"),
    [
        ([[]], "virtual_hosts[0].domains", "is empty"),
        ([["a"], []], "virtual_hosts[1].domains", "is empty"),
        ([[""]], "virtual_hosts[0].domains[0]", "'' is not a domain pattern"),
        ([["a", "b*c"]], "virtual_hosts[0].domains[1]", "'b*c' is not a domain pattern"),
        ([["*a*"]], "virtual_hosts[0].domains[0]", "is not a domain pattern"),
        ([["**"]], "virtual_hosts[0].domains[0]", "is not a domain pattern"),
        ([["a"], ["b", "a"]], "virtual_hosts[1].domains[1]", "'a' stands in virtual_hosts[0] as well"),
        ([["A.com"], ["a.COM"]], "virtual_hosts[1].domains[0]", "stands in virtual_hosts[0] as well"),
        ([["*"], ["*"]], "virtual_hosts[1].domains[0]", "stands in virtual_hosts[0] as well"),
        ([["a", "a"]], "virtual_hosts[0].domains[1]", "stands in virtual_hosts[0] as well"),
    ],
)
def test_domains(domains: list[list[str]], field: str, reason: str) -> None:
    check(hosts(*domains), field, reason)


ROUTE = "virtual_hosts[0].routes[1]"
MATCH = f"{ROUTE}.match"
HEADER = f"{MATCH}.headers[0]"
ACTION = f"{ROUTE}.route"
TO_C = {"cluster": "c"}


def second_route(route: dict[str, Any]) -> Any:
    return fake.route_config("r", [fake.route("c"), route])


@pytest.mark.parametrize(
    ("match", "field", "reason"),
    [
        ({}, MATCH, "no path_specifier is set"),
        ({"safe_regex": {"regex": ""}}, f"{MATCH}.safe_regex.regex", "is empty"),
        (
            {"safe_regex": {"regex": "("}},
            f"{MATCH}.safe_regex.regex",
            "'(' is not a valid RE2 pattern: missing",
        ),
        ({"safe_regex": {"regex": "(?=a)"}}, f"{MATCH}.safe_regex.regex", "is not a valid RE2 pattern"),
        ({"safe_regex": {"regex": r"(a)\1"}}, f"{MATCH}.safe_regex.regex", "is not a valid RE2 pattern"),
        ({"safe_regex": {"regex": "a{1001}"}}, f"{MATCH}.safe_regex.regex", "is not a valid RE2 pattern"),
        ({"path_separated_prefix": ""}, f"{MATCH}.path_separated_prefix", "may not end in `/`"),
        ({"path_separated_prefix": "/a/"}, f"{MATCH}.path_separated_prefix", "may not end in `/`"),
        ({"path_separated_prefix": "/a?b"}, f"{MATCH}.path_separated_prefix", "nor hold ? or #"),
        ({"path_separated_prefix": "/a#b"}, f"{MATCH}.path_separated_prefix", "nor hold ? or #"),
        (
            {"prefix": "", "runtime_fraction": {"default_value": {"denominator": 5}}},
            f"{MATCH}.runtime_fraction.default_value.denominator",
            "5 is not a known denominator",
        ),
        (
            {"prefix": "", "runtime_fraction": {}},
            f"{MATCH}.runtime_fraction.default_value",
            "is missing",
        ),
        # What is not understood never widens a route.
        ({"connect_matcher": {}}, f"{MATCH}.connect_matcher", "this matcher is not supported"),
        (
            {"path_match_policy": {"name": "x", "typed_config": {"@type": UNKNOWN_URL, "value": {}}}},
            f"{MATCH}.path_match_policy",
            "this matcher is not supported",
        ),
        ({"prefix": "", "tls_context": {}}, f"{MATCH}.tls_context", "this matcher is not supported"),
        (
            {"prefix": "", "dynamic_metadata": [{}]},
            f"{MATCH}.dynamic_metadata",
            "this matcher is not supported",
        ),
        ({"prefix": "", "filter_state": [{}]}, f"{MATCH}.filter_state", "this matcher is not supported"),
    ],
)
def test_route_matches(match: dict[str, Any], field: str, reason: str) -> None:
    check(second_route({"match": match, "route": TO_C}), field, reason)


@pytest.mark.parametrize(
    ("header", "field", "reason"),
    [
        ({"exact_match": "a"}, f"{HEADER}.name", "is empty"),
        ({"name": "x"}, HEADER, "no header_match_specifier is set"),
        ({"name": "x", "invert_match": True}, HEADER, "no header_match_specifier is set"),
        (
            {"name": "x", "safe_regex_match": {"regex": "["}},
            f"{HEADER}.safe_regex_match.regex",
            "not a valid RE2",
        ),
        ({"name": "x", "safe_regex_match": {}}, f"{HEADER}.safe_regex_match.regex", "is empty"),
        (
            {"name": "x", "range_match": {"start": 2, "end": 1}},
            f"{HEADER}.range_match",
            "start 2 lies above end 1",
        ),
        ({"name": "x", "prefix_match": ""}, f"{HEADER}.prefix_match", "is empty"),
        ({"name": "x", "suffix_match": ""}, f"{HEADER}.suffix_match", "is empty"),
        ({"name": "x", "contains_match": ""}, f"{HEADER}.contains_match", "is empty"),
        ({"name": "x", "string_match": {}}, f"{HEADER}.string_match", "no match_pattern is set"),
        ({"name": "x", "string_match": {"prefix": ""}}, f"{HEADER}.string_match.prefix", "is empty"),
        ({"name": "x", "string_match": {"suffix": ""}}, f"{HEADER}.string_match.suffix", "is empty"),
        ({"name": "x", "string_match": {"contains": ""}}, f"{HEADER}.string_match.contains", "is empty"),
        (
            {"name": "x", "string_match": {"safe_regex": {"regex": "*"}}},
            f"{HEADER}.string_match.safe_regex.regex",
            "not a valid RE2",
        ),
        (
            {"name": "x", "string_match": {"custom": {"name": "y"}}},
            f"{HEADER}.string_match.custom",
            "this matcher is not supported",
        ),
    ],
)
def test_header_matches(header: dict[str, Any], field: str, reason: str) -> None:
    check(second_route({"match": {"prefix": "", "headers": [header]}, "route": TO_C}), field, reason)


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (lambda route: route.match, MATCH),
        (lambda route: route.match.headers[0], HEADER),
        (lambda route: route.match.headers[0].string_match, f"{HEADER}.string_match"),
    ],
)
def test_a_matcher_field_of_the_future_refuses_the_resource(at: Callable[[Any], Any], field: str) -> None:
    """Field 1000 stands for one Envoy adds after our protos were made: it must not be dropped unseen."""
    config = second_route(
        {"match": {"prefix": "", "headers": [{"name": "x", "string_match": {"exact": "y"}}]}, "route": TO_C}
    )
    at(config.virtual_hosts[0].routes[1]).MergeFromString(b"\xc2\x3e\x01x")
    check(config, field, "field 1000 of envoy.")


@pytest.mark.parametrize(
    ("route", "field", "reason"),
    [
        ({"route": TO_C}, MATCH, "is missing"),
        ({"match": {"prefix": ""}}, ROUTE, "has no action"),
        ({"match": {"prefix": ""}, "route": {}}, ACTION, "names no cluster"),
        ({"match": {"prefix": ""}, "route": {"cluster": ""}}, f"{ACTION}.cluster", "is empty"),
        (
            {"match": {"prefix": ""}, "route": {"cluster_header": "x"}},
            f"{ACTION}.cluster_header",
            "is not supported",
        ),
        (
            {"match": {"prefix": ""}, "route": {"cluster_specifier_plugin": "x"}},
            f"{ACTION}.cluster_specifier_plugin",
            "is not supported",
        ),
        (
            {
                "match": {"prefix": ""},
                "route": {**TO_C, "max_stream_duration": {"max_stream_duration": "-1s"}},
            },
            f"{ACTION}.max_stream_duration.max_stream_duration.seconds",
            "-1 is not in [0, 315576000000]",
        ),
        (
            {
                "match": {"prefix": ""},
                "route": {**TO_C, "max_stream_duration": {"grpc_timeout_header_max": "-1s"}},
            },
            f"{ACTION}.max_stream_duration.grpc_timeout_header_max.seconds",
            "-1 is not in",
        ),
    ],
)
def test_routes(route: dict[str, Any], field: str, reason: str) -> None:
    check(second_route(route), field, reason)


def rewriting(substitution: str, pattern: str = "a(b)") -> dict[str, Any]:
    return {"regex_rewrite": {"pattern": {"regex": pattern}, "substitution": substitution}}


ANY_PATH = {"match": {"prefix": ""}}


@pytest.mark.parametrize(
    ("route", "field", "reason"),
    [
        ({"match": {"prefix": "", "query_parameters": [{}]}}, ".match.query_parameters[0].name", "is empty"),
        (
            {"match": {"prefix": "", "query_parameters": [{"name": "q", "string_match": {}}]}},
            ".match.query_parameters[0].string_match",
            "no match_pattern is set",
        ),
        ({"redirect": {"response_code": 9}}, ".redirect.response_code", "9 is not a known code"),
        ({"redirect": {"port_redirect": 65536}}, ".redirect.port_redirect", "65536 is not a port"),
        (
            {"redirect": {"host_redirect": "a\r\nb: c"}},
            ".redirect.host_redirect",
            "does not fit into a header",
        ),
        ({"redirect": {"path_redirect": "/\n"}}, ".redirect.path_redirect", "does not fit into a header"),
        ({"redirect": {"prefix_rewrite": "/\0"}}, ".redirect.prefix_rewrite", "does not fit into a header"),
        ({"redirect": rewriting("\n")}, ".redirect.regex_rewrite.substitution", "does not fit into a header"),
        ({"redirect": rewriting(r"\2")}, ".redirect.regex_rewrite.substitution", "does not fit the pattern"),
        (
            {"redirect": rewriting("", "(")},
            ".redirect.regex_rewrite.pattern.regex",
            "is not a valid RE2 pattern",
        ),
        ({"direct_response": {"status": 99}}, ".direct_response.status", "99 is not in [200, 600)"),
        ({"direct_response": {"status": 600}}, ".direct_response.status", "600 is not in [200, 600)"),
        (
            {"direct_response": {"status": 200, "body": {"inline_string": 4097 * "x"}}},
            ".direct_response.body",
            "4097 bytes are more than 4096",
        ),
        (
            {"route": {**TO_C, "prefix_rewrite": "/", **rewriting("")}},
            ".route.regex_rewrite",
            "cannot go with prefix_rewrite",
        ),
        ({"route": {**TO_C, "timeout": "-1s"}}, ".route.timeout.seconds", "-1 is not in"),
        ({"route": {**TO_C, "host_rewrite_literal": "\n"}}, ".route.host_rewrite_literal", "does not fit"),
        (
            {"route": {**TO_C, "retry_policy": {"retriable_headers": [{"name": "x"}]}}},
            ".route.retry_policy.retriable_headers[0]",
            "no header_match_specifier is set",
        ),
    ],
)
def test_what_http_requests_need(route: dict[str, Any], field: str, reason: str) -> None:
    check(
        second_route({**ANY_PATH, "route": TO_C, **route} if "match" in route else {**ANY_PATH, **route}),
        ROUTE + field,
        reason,
    )


@pytest.mark.parametrize(
    ("weights", "field", "reason"),
    [
        ([], "", "add up to 0"),
        ([("a", 0)], "", "add up to 0"),
        ([("a", None)], "", "add up to 0"),
        ([("a", 2**32 - 1), ("b", 1)], "", "add up to 4294967296"),
        ([("a", 1), ("", 1)], "[1].name", "is empty"),
    ],
)
def test_weights(weights: list[tuple[str, int | None]], field: str, reason: str) -> None:
    clusters = [{"name": n, **({} if w is None else {"weight": w})} for n, w in weights]
    route = {"match": {"prefix": ""}, "route": {"weighted_clusters": {"clusters": clusters}}}
    check(second_route(route), f"{ACTION}.weighted_clusters.clusters{field}", reason)


@pytest.mark.parametrize(
    ("back_off", "field", "reason"),
    [
        ({}, ".base_interval", "must be above 0"),
        ({"base_interval": "0s"}, ".base_interval", "must be above 0"),
        ({"base_interval": "-1s"}, ".base_interval.seconds", "-1 is not in"),
        ({"base_interval": "1s", "max_interval": "0.5s"}, ".max_interval", "is smaller than base_interval"),
        ({"base_interval": "1s", "max_interval": "-1s"}, ".max_interval.seconds", "-1 is not in"),
    ],
)
def test_retry_policies(back_off: dict[str, str], field: str, reason: str) -> None:
    policy = {"retry_on": "unavailable", "retry_back_off": back_off}
    config = second_route({"match": {"prefix": ""}, "route": {**TO_C, "retry_policy": policy}})
    check(config, f"{ACTION}.retry_policy.retry_back_off{field}", reason)
    config = hosts(["a"])
    ParseDict({"retry_policy": policy}, config.virtual_hosts[0])
    check(config, f"virtual_hosts[0].retry_policy.retry_back_off{field}", reason)


@pytest.mark.parametrize(
    ("seconds", "nanos", "field"),
    [
        (-1, 0, "seconds"),
        (315_576_000_001, 0, "seconds"),
        (0, -1, "nanos"),
        (0, 1_000_000_000, "nanos"),
    ],
)
def test_durations(seconds: int, nanos: int, field: str) -> None:
    config = fake.route_config("r", [fake.route("c")])
    limit = config.virtual_hosts[0].routes[0].route.max_stream_duration.max_stream_duration
    limit.seconds, limit.nanos = seconds, nanos
    at = "virtual_hosts[0].routes[0].route.max_stream_duration.max_stream_duration"
    check(config, f"{at}.{field}", "is not in [0, ")


# --- clusters ---------------------------------------------------------------------------------------------


def typed(number: int) -> Any:
    made = fake.cluster("c")
    made.type = number
    return made


def cluster_with(**fields: Any) -> Any:
    return ParseDict(fields, fake.Cluster(name="c"))


@pytest.mark.parametrize(
    ("make", "field", "reason"),
    [
        (lambda: fake.Cluster(name="c"), "type", "STATIC is not supported: only EDS"),
        (lambda: typed(1), "type", "STRICT_DNS is not supported"),
        (lambda: typed(2), "load_assignment.endpoints", "LOGICAL_DNS needs exactly one locality, not 0"),
        (lambda: typed(4), "type", "ORIGINAL_DST is not supported"),
        (lambda: typed(77), "type", "77 is not supported"),
        (
            lambda: cluster_with(cluster_type={"name": "envoy.clusters.aggregate"}),
            "cluster_type",
            "'envoy.clusters.aggregate' is not supported",
        ),
        (lambda: cluster_with(type="EDS"), "eds_cluster_config.eds_config", "must be `ads` or `self`"),
        (
            lambda: cluster_with(type="EDS", eds_cluster_config={"eds_config": {"path": "/etc/eds"}}),
            "eds_cluster_config.eds_config",
            "must be `ads` or `self`",
        ),
        (
            lambda: cluster_with(type="EDS", eds_cluster_config={"eds_config": {"ads": {}}}, lb_policy=99),
            "lb_policy",
            "99 is not a known policy",
        ),
    ],
)
def test_clusters(make: Callable[[], Any], field: str, reason: str) -> None:
    check(make(), field, reason)


# --- endpoints --------------------------------------------------------------------------------------------


def localities(*rows: tuple[list[str], dict[str, Any]]) -> Any:
    made = fake.endpoints("e")
    for addresses, fields in rows:
        fake.add_locality(made, addresses, **fields)
    return made


def one_endpoint(change: Callable[[Any], None]) -> Any:
    made = fake.endpoints("e", "10.0.0.1:80")
    change(made.endpoints[0].lb_endpoints[0])
    return made


def set_socket(**fields: Any) -> Callable[[Any], None]:
    def change(entry: Any) -> None:
        entry.endpoint.address.socket_address.CopyFrom(
            ParseDict(
                {"address": "10.0.0.1", "port_value": 80, **fields},
                type(entry.endpoint.address.socket_address)(),
            )
        )

    return change


E0 = "endpoints[0].lb_endpoints[0]"
SOCKET = f"{E0}.endpoint.address.socket_address"


@pytest.mark.parametrize(
    ("make", "field", "reason"),
    [
        (
            lambda: localities((["1.1.1.1:1"], {"priority": 1})),
            "endpoints",
            "there is no priority 0, but a priority 1",
        ),
        (
            lambda: localities((["1.1.1.1:1"], {}), (["1.1.1.2:1"], {"priority": 2})),
            "endpoints",
            "there is no priority 1, but a priority 2",
        ),
        (  # a locality without a weight fills no gap
            lambda: localities((["1.1.1.1:1"], {"weight": 0}), (["1.1.1.2:1"], {"priority": 1})),
            "endpoints",
            "there is no priority 0",
        ),
        (
            lambda: localities((["1.1.1.1:1"], {"zone": "z"}), (["1.1.1.2:1"], {"zone": "z"})),
            "endpoints",
            "locality /z stands twice in priority 0",
        ),
        (
            lambda: localities(
                (["1.1.1.1:1"], {"zone": "a", "weight": 2**32 - 1}), (["1.1.1.2:1"], {"zone": "b"})
            ),
            "endpoints",
            "the weights of priority 0 exceed",
        ),
        (
            lambda: localities((["1.1.1.1:1"], {"zone": "a"}), (["1.1.1.2:1", "1.1.1.1:1"], {"zone": "b"})),
            "endpoints[1].lb_endpoints[1]",
            "1.1.1.1:1 stands here twice",
        ),
        (
            lambda: localities((["::1:80", "0:0:0:0:0:0:0:1:80"], {})),
            "endpoints[0].lb_endpoints[1]",
            "[::1]:80 stands here twice",
        ),
        (lambda: one_endpoint(lambda e: e.ClearField("endpoint")), E0, "has no endpoint"),
        (
            lambda: one_endpoint(lambda e: setattr(e, "endpoint_name", "x")),
            E0,
            "has no endpoint",
        ),
        (
            lambda: one_endpoint(lambda e: e.endpoint.ClearField("address")),
            f"{E0}.endpoint.address",
            "must be a socket_address",
        ),
        (
            lambda: one_endpoint(lambda e: ParseDict({"pipe": {"path": "/x"}}, e.endpoint.address)),
            f"{E0}.endpoint.address",
            "must be a socket_address",
        ),
        (lambda: one_endpoint(set_socket(protocol="UDP")), f"{SOCKET}.protocol", "must be TCP"),
        (lambda: one_endpoint(set_socket(port_value=0)), f"{SOCKET}.port_value", "0 is not a port"),
        (lambda: one_endpoint(set_socket(port_value=65536)), f"{SOCKET}.port_value", "65536 is not a port"),
        (
            lambda: one_endpoint(
                lambda e: ParseDict({"named_port": "http"}, e.endpoint.address.socket_address)
            ),
            f"{SOCKET}.port_value",
            "is not a port",
        ),
        (lambda: one_endpoint(set_socket(address="")), f"{SOCKET}.address", "'' is not an IP address"),
        (lambda: one_endpoint(set_socket(address="reviews")), f"{SOCKET}.address", "is not an IP address"),
        (lambda: one_endpoint(set_socket(address="10.0.0.01")), f"{SOCKET}.address", "is not an IP address"),
    ],
)
def test_endpoints(make: Callable[[], Any], field: str, reason: str) -> None:
    check(make(), field, reason)


# --- the way in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_the_name_is_required(kind: Kind) -> None:
    with pytest.raises(ResourceError, match="is empty") as caught:
        parse_resource(kind, kind.type_url, b"")
    assert caught.value.resource is None
    assert caught.value.field == ("cluster_name" if kind is Kind.ENDPOINTS else "name")


@pytest.mark.parametrize("kind", Kind)
def test_bytes_that_are_no_message(kind: Kind) -> None:
    with pytest.raises(ResourceError, match="cannot be decoded as envoy") as caught:
        parse_resource(kind, kind.type_url, b"\xff")
    assert (caught.value.resource, caught.value.field) == (None, "")
    wrapper = Wrapper(name="n", resource=AnyProto(type_url=kind.type_url, value=b"\xff"))
    with pytest.raises(ResourceError, match="cannot be decoded as envoy") as caught:
        parse_resource(kind, fake.type_url(wrapper), wrapper.SerializeToString())
    assert caught.value.resource == "n"  # the wrapper knew the name


def test_another_type_than_the_response_said() -> None:
    with pytest.raises(ResourceError, match=r"expected .*Cluster, found .*Listener'"):
        parse_resource(Kind.CLUSTER, fake.LDS, fake.listener("l").SerializeToString())


def test_a_wrapper_that_is_none() -> None:
    with pytest.raises(ResourceError, match="the resource wrapper cannot be decoded"):
        parse_resource(Kind.CLUSTER, fake.type_url(Wrapper()), b"\xff")


def test_unknown_field_number_is_one_our_protos_do_not_have() -> None:
    assert 1000 not in RouteMatch.DESCRIPTOR.fields_by_number
