"""What valid resources say without effect here is reported once, never silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from tests.fakes import resources as fake
from tests.fakes.parsing import TO_C, parse

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
