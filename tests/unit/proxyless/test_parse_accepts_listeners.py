"""What valid listeners and their filters become."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from proxyless.resources import (
    Cluster,
    ClusterAction,
    EdsDiscovery,
    FaultAbort,
    FaultDelay,
    FaultFilter,
    FaultPolicy,
    Fraction,
    Listener,
    RouteConfig,
)
from xds.type.v3.typed_struct_pb2 import TypedStruct

from tests.fakes import resources as fake
from tests.fakes.parsing import FAULT_URL, ROUTER, listener, packed, parse

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
