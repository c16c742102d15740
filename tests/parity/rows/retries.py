"""Retries, and how long a call may take."""

from __future__ import annotations

from typing import Final

from grpc import StatusCode

from tests.fakes.resources import route
from tests.parity.cases import (
    DEADLINE,
    ISTIO_RETRIES,
    REFUSED,
    SOON,
    UNAVAILABLE,
    Case,
    act,
    fails,
    host,
    retried,
    to_v1,
)

NEVER: Final = {"max_stream_duration": "0s"}
LIMIT: Final = {"common_http_protocol_options": SOON}

ROWS = [
    # --- retries ---
    Case("retry: Istiod's default, once", retried(), fails("UNAVAILABLE 1"), "v1"),
    Case("retry: Istiod's default, twice", retried(), fails("UNAVAILABLE 2"), "v1"),
    Case("retry: Istiod's default, thrice", retried(), fails("UNAVAILABLE 3"), UNAVAILABLE),
    Case("retry: CANCELLED", retried(), fails("CANCELLED 1"), "v1"),
    Case("retry: not INTERNAL", retried(), fails("INTERNAL 1"), StatusCode.INTERNAL),
    Case("retry: no policy", to_v1(), fails("UNAVAILABLE 1"), UNAVAILABLE),
    Case(
        "retry: one by default", to_v1(retry_policy={"retry_on": "unavailable"}), fails("UNAVAILABLE 1"), "v1"
    ),
    Case(
        "retry: no more by default",
        to_v1(retry_policy={"retry_on": "unavailable"}),
        fails("UNAVAILABLE 2"),
        UNAVAILABLE,
    ),
    Case(
        "retry: five attempts at most",
        retried(num_retries=9),
        fails("UNAVAILABLE 5"),
        UNAVAILABLE,
        envoy="v1",
        why="gRFC A44 caps attempts at five; Envoy has no cap",
    ),
    Case("retry: five attempts", retried(num_retries=9), fails("UNAVAILABLE 4"), "v1"),
    Case(
        "retry: every condition",
        retried(retry_on="deadline-exceeded,internal,resource-exhausted"),
        fails("RESOURCE_EXHAUSTED 1"),
        "v1",
    ),
    Case(
        "retry: HTTP conditions only",
        retried(retry_on="5xx,gateway-error,connect-failure"),
        fails("UNAVAILABLE 1"),
        UNAVAILABLE,
    ),
    Case(
        "retry of the virtual host",
        host([route("v1")], retry_policy=ISTIO_RETRIES),
        fails("UNAVAILABLE 2"),
        "v1",
    ),
    Case(
        "retry: route before virtual host",
        host(retried(retry_on="internal"), retry_policy=ISTIO_RETRIES),
        fails("UNAVAILABLE 1"),
        UNAVAILABLE,
    ),
    Case(
        "retry: never in another cluster",
        [act(route={**route({"v1": 1, "v2": 1})["route"], "retry_policy": ISTIO_RETRIES})],
        fails("UNAVAILABLE 9", "v2"),
        {"v1": 0.5, "UNAVAILABLE": 0.5},
    ),
    Case(
        "retry: 0",
        retried(num_retries=0),
        fails("UNAVAILABLE 1"),
        UNAVAILABLE,
        REFUSED,
        "Envoy and Istio (`attempts: 0`) read 0 as none",
    ),
    Case(
        "retry: blanks between conditions",
        retried(retry_on="cancelled, unavailable"),
        fails("UNAVAILABLE 1"),
        "v1",
        UNAVAILABLE,
        "Envoy trims the conditions; gRPC does not know ` unavailable`",
    ),
    Case("retry: no base interval", retried(retry_back_off={"max_interval": "1s"}), [], REFUSED),
    # --- limits ---
    Case("limit of the route", to_v1(max_stream_duration=SOON), fails("HANG 1"), DEADLINE),
    Case(
        "limit of the timeout header",
        to_v1(max_stream_duration={"max_stream_duration": "0s", "grpc_timeout_header_max": "0.1s"}),
        fails("HANG 1"),
        DEADLINE,
    ),
    Case("limit of the listener", to_v1(), fails("HANG 1"), DEADLINE, hcm=LIMIT),
    Case("limit that is not reached", to_v1(max_stream_duration={"max_stream_duration": "19s"}), [], "v1"),
    Case("limit 0 is none", to_v1(max_stream_duration=NEVER), [], "v1"),
    Case("limit of the listener, none of the route", to_v1(max_stream_duration=NEVER), [], "v1", hcm=LIMIT),
    Case(
        "limit is not an attempt's",
        to_v1(retry_policy={"retry_on": "deadline-exceeded"}, max_stream_duration=SOON),
        fails("HANG 1"),
        DEADLINE,
    ),
]
