"""Every rule by which clusters and endpoints are refused, one row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from tests.fakes import resources as fake
from tests.fakes.parsing import check

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
