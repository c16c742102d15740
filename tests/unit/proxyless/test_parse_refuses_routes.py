"""Every rule by which route configurations are refused, one row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from tests.fakes import resources as fake
from tests.fakes.parsing import UNKNOWN_URL, check

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
