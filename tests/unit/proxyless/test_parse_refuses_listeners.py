"""Every rule by which listeners are refused, one row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from tests.fakes import resources as fake
from tests.fakes.parsing import (
    FAULT_URL,
    HCM_AT,
    HCM_URL,
    ROUTER_URL,
    UNKNOWN_URL,
    api_listener_of,
    check,
    packed,
    refusal,
    typed_struct,
)

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
