"""What valid resources become, and what each says without effect here (reported once, never silently)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from proxyless.parse import Parsed, parse_resource
from proxyless.resources import (
    KIND_OF_TYPE_URL,
    Action,
    Cluster,
    ClusterAction,
    DirectResponse,
    EdsDiscovery,
    Endpoint,
    Endpoints,
    FaultAbort,
    FaultDelay,
    FaultFilter,
    FaultPolicy,
    Fraction,
    HeaderMatch,
    Health,
    Kind,
    Listener,
    Locality,
    LocalityName,
    OtherAction,
    PathRewrite,
    PresentMatch,
    QueryMatch,
    RangeMatch,
    RedirectAction,
    RetryPolicy,
    RouteConfig,
    StringMatch,
    WeightedCluster,
)
from xds.type.v3.typed_struct_pb2 import TypedStruct

from tests.fakes import resources as fake

FAULT_URL = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
TO_C = {"cluster": "c"}
ROUTER = {
    "name": "router",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
}


def parse(message: Any) -> Parsed:
    url = fake.type_url(message)
    return parse_resource(KIND_OF_TYPE_URL[url], url, message.SerializeToString())


def listener(**hcm: Any) -> Listener:
    parsed = parse(fake.listener("l", **hcm))
    assert isinstance(parsed.resource, Listener)
    return parsed.resource


def routes(*each: dict[str, Any]) -> RouteConfig:
    parsed = parse(fake.route_config("r", each))
    assert isinstance(parsed.resource, RouteConfig)
    return parsed.resource


def only_route(match: dict[str, Any]) -> Any:
    return routes({"match": match, "route": {"cluster": "c"}}).virtual_hosts[0].routes[0].match


def action(route: dict[str, Any]) -> Action:
    return (
        routes({"match": {"prefix": ""}, "route": {"cluster": "c", **route}})
        .virtual_hosts[0]
        .routes[0]
        .action
    )


# --- listeners --------------------------------------------------------------------------------------------


def test_routes_by_name_or_inline() -> None:
    assert listener().route_config_name == "l"
    inline = parse(fake.listener("l", fake.route_config("r", [fake.route("c")]))).resource
    assert isinstance(inline, Listener) and inline.route_config is not None
    assert (inline.route_config_name, inline.route_config.name) == (None, "r")
    assert inline.route_config.virtual_hosts[0].domains == ("*",)


def test_config_source_self_is_this_stream_too() -> None:
    hcm = {"rds": {"route_config_name": "x", "config_source": {"self": {}}}}
    assert listener(**hcm).route_config_name == "l"  # the builder names it
    parsed = parse(fake.cluster("c", eds_cluster_config={"eds_config": {"self": {}}, "service_name": "s"}))
    assert parsed.resource == Cluster("c", EdsDiscovery("s"))


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({}, None),
        ({"common_http_protocol_options": {}}, None),
        ({"common_http_protocol_options": {"max_stream_duration": "2.5s"}}, 2.5),
        ({"common_http_protocol_options": {"max_stream_duration": "0s"}}, 0.0),
    ],
)
def test_the_limit_of_a_listener(options: dict[str, Any], limit: float | None) -> None:
    assert listener(**options).max_stream_duration == limit


def test_optional_filters_are_left_out_wherever_they_stand() -> None:
    unknown = {
        "name": "x",
        "is_optional": True,
        "typed_config": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {}},
    }
    fault = {"name": "f", "typed_config": {"@type": FAULT_URL}}
    again = {**unknown, "name": "y"}
    parsed = parse(fake.listener("l", http_filters=[unknown, fault, ROUTER, again]))
    assert isinstance(parsed.resource, Listener)
    assert parsed.resource.faults == (FaultFilter("f", FaultPolicy()),)
    at = "api_listener.api_listener.http_filters"
    assert parsed.notes == (
        f"{at}[0]: optional filter 'x' (google.protobuf.Struct) is left out",
        f"{at}[3]: optional filter 'y' (google.protobuf.Struct) is left out",
    )


def test_an_optional_typed_struct_is_known_by_what_it_holds() -> None:
    hcm = fake.HttpConnectionManager()
    optional = hcm.http_filters.add(name="x", is_optional=True)
    optional.typed_config.Pack(TypedStruct(type_url="t/some.Filter", value=Struct()))
    hcm.http_filters.add(name="router").typed_config.Pack(fake.Router())
    hcm.rds.route_config_name = "r"
    hcm.rds.config_source.ads.SetInParent()
    message = fake.Listener(name="l")
    message.api_listener.api_listener.Pack(hcm)
    (note,) = parse(message).notes
    assert "optional filter 'x' (some.Filter) is left out" in note


PERCENT_50 = {"numerator": 50}


@pytest.mark.parametrize(
    ("fault", "policy"),
    [
        ({}, FaultPolicy()),
        (
            {"delay": {"fixed_delay": "0.5s", "percentage": PERCENT_50}},
            FaultPolicy(FaultDelay(0.5, Fraction(50))),
        ),
        ({"delay": {"fixed_delay": "1s"}}, FaultPolicy(FaultDelay(1.0, Fraction(0)))),
        (
            {"delay": {"header_delay": {}, "percentage": PERCENT_50}},
            FaultPolicy(FaultDelay(None, Fraction(50))),
        ),
        (
            {"abort": {"grpc_status": 14, "percentage": {"numerator": 1, "denominator": "TEN_THOUSAND"}}},
            FaultPolicy(None, FaultAbort(14, Fraction(1, 10_000))),
        ),
        (
            {"abort": {"header_abort": {}, "percentage": {"numerator": 1, "denominator": "MILLION"}}},
            FaultPolicy(None, FaultAbort(None, Fraction(1, 1_000_000))),
        ),
        ({"max_active_faults": 3}, FaultPolicy(max_active=3)),
        ({"max_active_faults": 0}, FaultPolicy(max_active=0)),
        *(
            ({"abort": {"http_status": http}}, FaultPolicy(None, FaultAbort(grpc, Fraction(0), http)))
            for http, grpc in [
                (200, 0),
                (400, 13),
                (401, 16),
                (403, 7),
                (404, 12),
                (429, 14),
                (500, 2),
                (502, 14),
                (503, 14),
                (504, 14),
                (418, 2),
                (599, 2),
            ]
        ),
    ],
)
def test_faults(fault: dict[str, Any], policy: FaultPolicy) -> None:
    made = listener(http_filters=[{"name": "f", "typed_config": {"@type": FAULT_URL, **fault}}, ROUTER])
    assert made.faults == (FaultFilter("f", policy),)


def test_a_disabled_filter_does_nothing_by_itself() -> None:
    abort = {"@type": FAULT_URL, "abort": {"grpc_status": 14, "percentage": {"numerator": 100}}}
    made = listener(http_filters=[{"name": "f", "typed_config": abort, "disabled": True}, ROUTER])
    assert made.faults == (FaultFilter("f", FaultPolicy()),)


def packed(message: Any) -> AnyProto:
    made = AnyProto()
    made.Pack(message)
    return made


ABORT = ParseDict({"abort": {"grpc_status": 5, "percentage": {"numerator": 100}}}, HTTPFault())
ABORTS = FaultFilter("f", FaultPolicy(None, FaultAbort(5, Fraction(100))))
UNKNOWN = packed(Struct())


@pytest.mark.parametrize(
    ("override", "becomes", "notes"),
    [
        (packed(ABORT), (ABORTS,), 0),
        (packed(FilterConfig(config=packed(ABORT))), (ABORTS,), 0),
        (packed(FilterConfig(config=packed(ABORT), is_optional=True)), (ABORTS,), 0),
        (packed(FilterConfig(config=UNKNOWN, is_optional=True)), (), 1),
        # disabled: the filter stays in the chain and does nothing
        (packed(FilterConfig(disabled=True)), (FaultFilter("f", FaultPolicy()),), 0),
        (packed(FilterConfig(config=packed(ABORT), disabled=True)), (FaultFilter("f", FaultPolicy()),), 0),
    ],
)
def test_overrides(override: AnyProto, becomes: tuple[FaultFilter, ...], notes: int) -> None:
    config = fake.route_config("r", [fake.route({"c": 1})])
    host = config.virtual_hosts[0]
    route = host.routes[0]
    for at in (host, route, route.route.weighted_clusters.clusters[0]):
        at.typed_per_filter_config["f"].CopyFrom(override)
    parsed = parse(config)
    assert isinstance(parsed.resource, RouteConfig)
    (made,) = parsed.resource.virtual_hosts
    assert made.faults == made.routes[0].faults == becomes
    assert isinstance(made.routes[0].action, ClusterAction)
    assert made.routes[0].action.clusters[0].faults == becomes
    assert len(parsed.notes) == 3 * notes
    assert all("optional override" in note for note in parsed.notes)


# --- routes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specifier", "how", "value", "fold"),
    [
        ({"prefix": ""}, "prefix", "", False),
        ({"prefix": "/a", "case_sensitive": True}, "prefix", "/a", False),
        ({"prefix": "/a", "case_sensitive": False}, "prefix", "/a", True),
        ({"path": "/a/b", "case_sensitive": False}, "exact", "/a/b", True),
        ({"safe_regex": {"regex": "/.*"}, "case_sensitive": False}, "regex", "/.*", False),
        ({"safe_regex": {"google_re2": {}, "regex": "/.*"}}, "regex", "/.*", False),
        ({"path_separated_prefix": "/a"}, "path_separated_prefix", "/a", False),
    ],
)
def test_paths(specifier: dict[str, Any], how: str, value: str, fold: bool) -> None:
    path = only_route(specifier).path
    assert (path.how, path.value, path.ignore_case) == (how, value, fold)


@pytest.mark.parametrize(
    ("header", "test"),
    [
        ({"exact_match": ""}, StringMatch("exact", "")),
        ({"exact_match": "a"}, StringMatch("exact", "a")),
        ({"prefix_match": "a"}, StringMatch("prefix", "a")),
        ({"suffix_match": "a"}, StringMatch("suffix", "a")),
        ({"contains_match": "a"}, StringMatch("contains", "a")),
        ({"safe_regex_match": {"regex": "a+"}}, StringMatch("regex", "a+")),
        ({"range_match": {"start": -1, "end": 2**60}}, RangeMatch(-1, 2**60)),
        ({"range_match": {"start": 3, "end": 3}}, RangeMatch(3, 3)),
        ({"present_match": True}, PresentMatch(True)),
        ({"present_match": False}, PresentMatch(False)),
        ({"string_match": {"exact": ""}}, StringMatch("exact", "")),
        ({"string_match": {"exact": "a", "ignore_case": True}}, StringMatch("exact", "a", True)),
        ({"string_match": {"prefix": "a", "ignore_case": True}}, StringMatch("prefix", "a", True)),
        ({"string_match": {"suffix": "a", "ignore_case": True}}, StringMatch("suffix", "a", True)),
        ({"string_match": {"contains": "a", "ignore_case": True}}, StringMatch("contains", "a", True)),
        ({"string_match": {"safe_regex": {"regex": "a"}, "ignore_case": True}}, StringMatch("regex", "a")),
    ],
)
def test_headers(header: dict[str, Any], test: Any) -> None:
    (made,) = only_route({"prefix": "", "headers": [{"name": "X-Lane", **header}]}).headers
    assert (made.name, made.test, made.invert, made.treat_missing_as_empty) == ("x-lane", test, False, False)
    flags = {"invert_match": True, "treat_missing_header_as_empty": True}
    (made,) = only_route({"prefix": "", "headers": [{"name": "x", **header, **flags}]}).headers
    assert (made.invert, made.treat_missing_as_empty) == (True, True)


@pytest.mark.parametrize(
    ("match", "fraction", "query", "grpc"),
    [
        ({}, None, (), False),
        ({"grpc": {}}, None, (), True),
        ({"runtime_fraction": {"default_value": {"numerator": 7}}}, Fraction(7), (), False),
        (
            {"runtime_fraction": {"default_value": {"numerator": 7, "denominator": 1}}},
            Fraction(7, 10_000),
            (),
            False,
        ),
        (
            {"runtime_fraction": {"default_value": {"numerator": 7, "denominator": 2}}},
            Fraction(7, 10**6),
            (),
            False,
        ),
        ({"runtime_fraction": {"default_value": {}}}, Fraction(0), (), False),
        (
            {
                "query_parameters": [
                    {"name": "q", "present_match": True},
                    {"name": "r", "present_match": False},
                    {"name": "S"},
                    {"name": "t", "string_match": {"exact": "", "ignore_case": True}},
                ]
            },
            None,
            (
                QueryMatch("q"),
                QueryMatch("r", PresentMatch(False)),
                QueryMatch("S"),
                QueryMatch("t", StringMatch("exact", "", True)),
            ),
            False,
        ),
    ],
)
def test_what_else_a_route_asks(
    match: dict[str, Any], fraction: Fraction | None, query: tuple[QueryMatch, ...], grpc: bool
) -> None:
    made = only_route({"prefix": "", **match})
    assert (made.fraction, made.query, made.grpc) == (fraction, query, grpc)


@pytest.mark.parametrize(
    ("durations", "limit"),
    [
        ({}, None),
        ({"max_stream_duration": {}}, None),
        ({"max_stream_duration": {"max_stream_duration": "3s"}}, 3.0),
        ({"max_stream_duration": {"max_stream_duration": "0s"}}, 0.0),
        ({"max_stream_duration": {"max_stream_duration": "3s", "grpc_timeout_header_max": "0s"}}, 0.0),
        ({"max_stream_duration": {"grpc_timeout_header_max": "1.000000001s"}}, 1.000000001),
        ({"timeout": "3s"}, None),
    ],
)
def test_the_limit_of_a_route(durations: dict[str, Any], limit: float | None) -> None:
    made = action(durations)
    assert isinstance(made, ClusterAction)
    assert made.max_stream_duration == limit


@pytest.mark.parametrize(
    ("policy", "becomes"),
    [
        ({"retry_on": "unavailable"}, RetryPolicy(frozenset({"unavailable"}))),
        (
            {"retry_on": "cancelled,deadline-exceeded, internal ,resource-exhausted,unavailable"},
            RetryPolicy(
                frozenset({"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"})
            ),
        ),
        ({"retry_on": "5xx,connect-failure,soon"}, RetryPolicy(frozenset({"5xx", "connect-failure"}))),
        ({"retry_on": "soon"}, RetryPolicy(frozenset())),
        (
            {
                "retry_on": "retriable-status-codes,retriable-headers,retriable-4xx,envoy-ratelimited",
                "retriable_status_codes": [418, 503],
                "retriable_headers": [{"name": "X-Again", "present_match": True}],
                "per_try_timeout": "0.5s",
            },
            RetryPolicy(
                frozenset(
                    {"retriable-status-codes", "retriable-headers", "retriable-4xx", "envoy-ratelimited"}
                ),
                per_try_timeout=0.5,
                status_codes=frozenset({418, 503}),
                headers=(HeaderMatch("x-again", PresentMatch(True)),),
            ),
        ),
        ({}, RetryPolicy(frozenset())),
        ({"retry_on": "internal", "num_retries": 1}, RetryPolicy(frozenset({"internal"}), 2)),
        ({"retry_on": "internal", "num_retries": 3}, RetryPolicy(frozenset({"internal"}), 4)),
        ({"retry_on": "internal", "num_retries": 99}, RetryPolicy(frozenset({"internal"}), 100)),
        ({"retry_on": "internal", "num_retries": 0}, RetryPolicy(frozenset(), 1)),
        (
            {"retry_on": "internal", "retry_back_off": {"base_interval": "1s"}},
            RetryPolicy(frozenset({"internal"}), 2, 1.0, 10.0),
        ),
        (
            {"retry_on": "internal", "retry_back_off": {"base_interval": "1s", "max_interval": "2s"}},
            RetryPolicy(frozenset({"internal"}), 2, 1.0, 2.0),
        ),
        (  # below a millisecond counts as one
            {
                "retry_on": "internal",
                "retry_back_off": {"base_interval": "0.0001s", "max_interval": "0.001s"},
            },
            RetryPolicy(frozenset({"internal"}), 2, 0.001, 0.001),
        ),
    ],
)
def test_retry_policies(policy: dict[str, Any], becomes: RetryPolicy) -> None:
    made = action({"retry_policy": policy})
    assert isinstance(made, ClusterAction)
    assert made.retry == becomes


@pytest.mark.parametrize(
    ("said", "timeout", "rewrite", "host"),
    [
        ({}, None, None, None),
        ({"timeout": "0s"}, 0.0, None, None),
        ({"timeout": "1.5s", "max_stream_duration": {"max_stream_duration": "9s"}}, 1.5, None, None),
        ({"prefix_rewrite": "/", "host_rewrite_literal": "shop:80"}, None, PathRewrite("/"), "shop:80"),
        (
            {"regex_rewrite": {"pattern": {"regex": "a"}, "substitution": "b"}},
            None,
            PathRewrite(None, "a", "b"),
            None,
        ),
    ],
)
def test_what_is_for_http_requests(
    said: dict[str, Any], timeout: float | None, rewrite: PathRewrite | None, host: str | None
) -> None:
    made = action(said)
    assert isinstance(made, ClusterAction)
    assert (made.timeout, made.rewrite, made.host_rewrite) == (timeout, rewrite, host)


def test_weights_add_up_to_what_they_add_up_to() -> None:
    made = routes(fake.route({"a": 1, "b": 0, "c": 2**32 - 2})).virtual_hosts[0].routes[0].action
    assert made == ClusterAction(
        (WeightedCluster("a", 1), WeightedCluster("b", 0), WeightedCluster("c", 2**32 - 2))
    )


@pytest.mark.parametrize(
    ("other", "becomes"),
    [
        ({"redirect": {}}, RedirectAction()),
        (
            {
                "redirect": {
                    "https_redirect": True,
                    "host_redirect": "shop",
                    "port_redirect": 8443,
                    "path_redirect": "/new?x=1",
                    "response_code": "PERMANENT_REDIRECT",
                    "strip_query": True,
                }
            },
            RedirectAction(308, "https", "shop", 8443, "/new?x=1", None, True),
        ),
        (
            {"redirect": {"scheme_redirect": "ftp", "prefix_rewrite": "/n", "response_code": "FOUND"}},
            RedirectAction(302, "ftp", rewrite=PathRewrite("/n")),
        ),
        (
            {
                "redirect": {
                    "regex_rewrite": {"pattern": {"regex": "/v(.)"}, "substitution": "/\\1"},
                    "response_code": "SEE_OTHER",
                }
            },
            RedirectAction(303, rewrite=PathRewrite(None, "/v(.)", "/\\1")),
        ),
        ({"redirect": {"response_code": "TEMPORARY_REDIRECT"}}, RedirectAction(307)),
        ({"direct_response": {"status": 200}}, DirectResponse(200)),
        (
            {"direct_response": {"status": 503, "body": {"inline_string": "ö"}}},
            DirectResponse(503, b"\xc3\xb6"),
        ),
        (
            {"direct_response": {"status": 503, "body": {"inline_bytes": "AAE="}}},
            DirectResponse(503, b"\0\1"),
        ),
        ({"filter_action": {}}, OtherAction("filter_action")),
        ({"non_forwarding_action": {}}, OtherAction("non_forwarding_action")),
    ],
)
def test_actions_a_grpc_call_cannot_follow(other: dict[str, Any], becomes: Action) -> None:
    made = routes({"name": "n", "match": {"prefix": ""}, **other}, fake.route("c")).virtual_hosts[0]
    assert made.routes[0].action == becomes
    assert [(route.name, route.index) for route in made.routes] == [("n", 0), ("", 1)]


# --- clusters and endpoints -------------------------------------------------------------------------------


def test_a_cluster_finds_its_endpoints_by_service_name_or_its_own() -> None:
    assert parse(fake.cluster("c")).resource == Cluster("c", EdsDiscovery("c"))
    bare = fake.cluster("c")
    bare.eds_cluster_config.service_name = ""
    assert parse(bare).resource == Cluster("c", EdsDiscovery("c"))


def test_localities_priorities_health_and_both_families() -> None:
    made = fake.endpoints("e")
    fake.add_locality(made, ["10.0.0.1:80"], zone="a", weight=3)
    fake.add_locality(made, ["2001:db8:0::1:443"], zone="b", weight=1, health="DRAINING")
    fake.add_locality(made, ["10.0.0.1:81"], zone="a", priority=1)
    fake.add_locality(made, ["10.0.0.9:80"], zone="c", weight=0)
    parsed = parse(made)
    assert parsed.resource == Endpoints(
        "e",
        (
            Locality(LocalityName(zone="a"), 3, 0, (Endpoint("10.0.0.1", 80, Health.HEALTHY),)),
            Locality(LocalityName(zone="b"), 1, 0, (Endpoint("2001:db8::1", 443, Health.DRAINING),)),
            Locality(LocalityName(zone="a"), 1, 1, (Endpoint("10.0.0.1", 81, Health.HEALTHY),)),
        ),
    )
    assert isinstance(parsed.resource, Endpoints)
    assert [each.endpoints[0].address for each in parsed.resource.localities] == [
        "10.0.0.1:80",
        "[2001:db8::1]:443",
        "10.0.0.1:81",
    ]
    assert parsed.notes == ("endpoints[3]: a locality without load_balancing_weight gets no calls",)


def test_no_endpoints_are_endpoints() -> None:
    assert parse(fake.endpoints("e")).resource == Endpoints("e")
    empty = fake.endpoints("e")
    fake.add_locality(empty, [])
    assert parse(empty).resource == Endpoints("e", (Locality(LocalityName(), 1, 0, ()),))


@pytest.mark.parametrize(
    ("number", "health", "usable"),
    [
        (0, Health.UNKNOWN, True),
        (1, Health.HEALTHY, True),
        (2, Health.UNHEALTHY, False),
        (3, Health.DRAINING, False),
        (4, Health.TIMEOUT, False),
        (5, Health.DEGRADED, False),
        (42, Health.UNHEALTHY, False),  # a status of the future must not receive calls
    ],
)
def test_health(number: int, health: Health, usable: bool) -> None:
    made = fake.endpoints("e", "10.0.0.1:80")
    made.endpoints[0].lb_endpoints[0].health_status = number
    resource = parse(made).resource
    assert isinstance(resource, Endpoints)
    assert resource.localities[0].endpoints[0].health is health
    assert health.usable is usable


# --- what has no effect is said ---------------------------------------------------------------------------


def weighted_endpoint() -> Any:
    made = fake.endpoints("e", "10.0.0.1:80")
    made.endpoints[0].lb_endpoints[0].load_balancing_weight.value = 5
    return made


def acting(**action: Any) -> Any:
    """A table whose only route does this."""
    return fake.route_config("r", [{"match": {"prefix": ""}, "route": {**TO_C, **action}}])


ISTIO_RETRIES = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
HCM_AT = "api_listener.api_listener"
ROUTE_AT = "virtual_hosts[0].routes[0]"


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (
            lambda: ParseDict({"stat_prefix": "x"}, fake.listener("l")),
            "stat_prefix: has no effect here",
        ),
        (
            lambda: fake.listener("l", server_name="x"),
            f"{HCM_AT}.server_name: has no effect here",
        ),
        (
            lambda: fake.listener("l", common_http_protocol_options={"idle_timeout": "1s"}),
            f"{HCM_AT}.common_http_protocol_options.idle_timeout: has no effect here",
        ),
        (
            lambda: fake.listener("l", rds={"config_source": {"initial_fetch_timeout": "5s"}}),
            f"{HCM_AT}.rds.config_source.initial_fetch_timeout: has no effect here",
        ),
        (
            lambda: acting(max_stream_duration={"grpc_timeout_header_offset": "1s"}),
            f"{ROUTE_AT}.route.max_stream_duration.grpc_timeout_header_offset: has no effect here",
        ),
        (
            lambda: ParseDict({"validate_clusters": True}, fake.route_config("r", [])),
            "validate_clusters: has no effect here",
        ),
        (
            lambda: fake.route_config("r", [{**fake.route("c"), "request_headers_to_remove": ["Host"]}]),
            f"{ROUTE_AT}.request_headers_to_remove[0]: 'Host' has no effect here: it is gRPC's own",
        ),
        (
            lambda: fake.route_config(
                "r", [{"match": {"prefix": ""}, "route": {"cluster": "c", "prefix_rewrite": "/"}}]
            ),
            f"{ROUTE_AT}.route.prefix_rewrite: has no effect on gRPC calls",
        ),
        (
            lambda: fake.route_config("r", [{"match": {"prefix": ""}, "route": {**TO_C, "timeout": "3s"}}]),
            f"{ROUTE_AT}.route.timeout: has no effect on gRPC calls: "
            "they go by max_stream_duration (gRFC A31)",
        ),
        (
            lambda: acting(max_grpc_timeout="3s"),
            f"{ROUTE_AT}.route.max_grpc_timeout: has no effect on gRPC calls: "
            "they go by max_stream_duration (gRFC A31)",
        ),
        (
            lambda: acting(host_rewrite_literal="x"),
            f"{ROUTE_AT}.route.host_rewrite_literal: has no effect on gRPC calls",
        ),
        (
            lambda: acting(regex_rewrite={"pattern": {"regex": "a"}, "substitution": ""}),
            f"{ROUTE_AT}.route.regex_rewrite: has no effect on gRPC calls",
        ),
        (
            lambda: fake.route_config(
                "r",
                [{"match": {"prefix": ""}, "direct_response": {"status": 200, "body": {"filename": "/f"}}}],
            ),
            f"{ROUTE_AT}.direct_response.body.filename: has no effect here: a body must be inline",
        ),
        (
            lambda: acting(retry_policy={"retry_on": "unavailable, soon"}),
            f"{ROUTE_AT}.route.retry_policy.retry_on: 'soon' has no effect here: it is not known",
        ),
        (
            lambda: acting(retry_policy={"retry_on": "retriable-headers"}),
            f"{ROUTE_AT}.route.retry_policy.retry_on: 'retriable-headers' has no effect on gRPC calls",
        ),
        (
            lambda: fake.route_config(
                "r",
                [
                    {
                        "match": {
                            "prefix": "",
                            "query_parameters": [{"name": "q", "present_match": True}],
                        },
                        "route": TO_C,
                    }
                ],
            ),
            f"{ROUTE_AT}.match.query_parameters: no gRPC call takes this route: it has no query",
        ),
        (
            lambda: fake.route_config(
                "r",
                [
                    {
                        "match": {"prefix": ""},
                        "route": {**TO_C, "retry_policy": {"per_try_idle_timeout": "1s"}},
                    }
                ],
            ),
            f"{ROUTE_AT}.route.retry_policy.per_try_idle_timeout: has no effect here",
        ),
        (
            lambda: fake.cluster("c", circuit_breakers={"thresholds": [{"max_connections": 3}]}),
            "circuit_breakers.thresholds[0].max_connections: has no effect here",
        ),
        (
            lambda: fake.cluster("c", outlier_detection={"split_external_local_origin_errors": True}),
            "outlier_detection.split_external_local_origin_errors: has no effect here",
        ),
        (
            lambda: fake.cluster("c", lb_policy="MAGLEV"),
            "lb_policy: MAGLEV is not supported: round robin is used",
        ),
        (
            lambda: ParseDict({"policy": {"weighted_priority_health": True}}, fake.endpoints("e")),
            "policy.weighted_priority_health: has no effect here",
        ),
    ],
)
def test_notes(make: Callable[[], Any], note: str) -> None:
    assert note in parse(make()).notes


@pytest.mark.parametrize(
    "make",
    [
        lambda: fake.listener("l"),
        lambda: fake.route_config("r", [fake.route({"a": 1}, headers=[fake.header("x", exact_match="y")])]),
        lambda: fake.route_config("r", [{"match": {"prefix": ""}, "route": {**TO_C, "timeout": "0s"}}]),
        lambda: acting(max_grpc_timeout="0s"),
        lambda: acting(
            retry_policy={
                "retry_on": ISTIO_RETRIES,
                "retriable_status_codes": [503],
                "num_retries": 2,
                "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts"}],
                "host_selection_retry_max_attempts": 5,
            }
        ),
        lambda: acting(
            retry_policy={
                "retry_on": "5xx,reset,gateway-error,retriable-4xx,retriable-status-codes",
                "retriable_status_codes": [503, 429],
            }
        ),
        # The limit that is in force says it all.
        lambda: acting(
            timeout="3s", max_grpc_timeout="3s", max_stream_duration={"max_stream_duration": "3s"}
        ),
        lambda: fake.cluster("c"),
        lambda: fake.endpoints("e", "10.0.0.1:80"),
    ],
)
def test_what_istiod_always_says_is_not_noted(make: Callable[[], Any]) -> None:
    assert parse(make()).notes == ()


def test_a_wrapped_resource_has_the_name_and_bytes_within() -> None:
    cluster = fake.cluster("c")
    wrapper = Wrapper(name="c")
    wrapper.resource.Pack(cluster)
    parsed = parse_resource(Kind.CLUSTER, fake.type_url(wrapper), wrapper.SerializeToString())
    assert (parsed.name, parsed.resource) == ("c", Cluster("c", EdsDiscovery("c")))
    assert parsed == parse(cluster)
