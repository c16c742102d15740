"""What valid route configurations become."""

from __future__ import annotations

from typing import Any

import pytest
from proxyless.resources import (
    Action,
    ClusterAction,
    DirectResponse,
    Fraction,
    HeaderMatch,
    OtherAction,
    PathRewrite,
    PresentMatch,
    QueryMatch,
    RangeMatch,
    RedirectAction,
    RetryPolicy,
    StringMatch,
    WeightedCluster,
)

from tests.fakes import resources as fake
from tests.fakes.parsing import action, only_route, routes

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
