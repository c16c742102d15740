"""One resource, however it is made, is parsed or refused within bounds: of depth, of size, of work.

No test here asserts a time. What is quadratic or recursive runs into pytest's own limit, or out of stack.
"""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyProto
from proxyless.balance import Ask, Readiness, make_picker
from proxyless.errors import ResourceError
from proxyless.match import CallHeaders, RouteTable
from proxyless.parse import parse_resource
from proxyless.resources import Cluster, Endpoints, Kind, LbPolicy, RouteConfig

from tests.fakes import resources as fake

TYPES = "type.googleapis.com/"
WRR = "envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality"


def varint(number: int) -> bytes:
    made = b""
    while number > 127:
        made += bytes([number & 127 | 128])
        number >>= 7
    return made + bytes([number])


def field(number: int, data: bytes) -> bytes:
    """A field that holds bytes, on the wire; protobuf's own would take its time at this depth."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def packed(name: str, data: bytes) -> bytes:
    return field(1, (TYPES + name).encode()) + field(2, data)


def parse(kind: Kind, message: Any) -> Any:
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return parse_resource(kind, kind.type_url, data).resource


def refused(kind: Kind, message: Any) -> ResourceError:
    with pytest.raises(ResourceError) as caught:
        parse(kind, message)
    return caught.value


@pytest.mark.parametrize("depth", [17, 2000])
def test_policies_within_policies(depth: int) -> None:
    policy = b""
    for _ in range(depth):
        config = field(1, b"wrr") + field(2, packed(WRR, field(1, policy)))
        policy = field(1, field(4, config))
    error = refused(Kind.CLUSTER, fake.cluster("c").SerializeToString() + field(41, policy))
    assert "more than 16 deep" in error.reason


def test_overrides_within_overrides() -> None:
    name = "envoy.config.route.v3.FilterConfig"
    inner = b""
    for _ in range(2000):
        inner = field(1, packed(name, inner))
    made = fake.route_config("r", [fake.route("c")])
    made.virtual_hosts[0].typed_per_filter_config["f"].CopyFrom(AnyProto(type_url=TYPES + name, value=inner))
    assert refused(Kind.ROUTE_CONFIG, made).field == "virtual_hosts[0].typed_per_filter_config['f']"


def test_structs_within_structs() -> None:
    """Of fields nobody looks at, protobuf itself says that it is too much."""
    value = b""
    for _ in range(5000):
        value = field(5, field(1, field(1, b"k") + field(2, value)))
    metadata = field(1, field(1, b"f") + field(2, field(1, field(1, b"k") + field(2, value))))
    route = fake.route_config("r", [fake.route("c")]).virtual_hosts[0].routes[0].SerializeToString()
    host = field(1, b"vh") + field(2, b"*") + field(3, route + field(4, metadata))
    assert "cannot be decoded" in refused(Kind.ROUTE_CONFIG, field(1, b"r") + field(2, host)).reason


def test_weights_up_to_the_last() -> None:
    most = 2**32 - 1
    routes = parse(Kind.ROUTE_CONFIG, fake.route_config("r", [fake.route({"a": most - 1, "b": 1})]))
    assert [each.weight for each in routes.virtual_hosts[0].routes[0].action.clusters] == [most - 1, 1]
    error = refused(Kind.ROUTE_CONFIG, fake.route_config("r", [fake.route({"a": most, "b": 1})]))
    assert str(2**32) in error.reason


def test_twenty_thousand_endpoints() -> None:
    made = fake.endpoints("e")
    fake.add_locality(made, [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}:80" for i in range(20_000)])
    endpoints = parse(Kind.ENDPOINTS, made)
    assert isinstance(endpoints, Endpoints)
    ready = {each.address: Readiness.READY for each in endpoints.localities[0].endpoints}
    for name in ("round_robin", "least_request", "ring_hash", "random", "pick_first"):
        picker = make_picker(endpoints, ready, lambda n: n - 1, LbPolicy(name, by_locality=False))
        assert picker.pick(Ask(lambda n: n - 1, hash=1)) in ready


def test_twenty_thousand_localities() -> None:
    made = fake.endpoints("e")
    for i in range(20_000):
        fake.add_locality(made, [f"10.0.{i >> 8}.{i & 255}:80"], zone=str(i), priority=i // 10)
    assert len(parse(Kind.ENDPOINTS, made).localities) == 20_000


def test_the_largest_ring_is_small() -> None:
    """gRPC caps it, because a ring for each of many clusters is memory."""
    most = 8 * 1024 * 1024
    cluster = parse(
        Kind.CLUSTER,
        fake.cluster(
            "c",
            lb_policy="RING_HASH",
            ring_hash_lb_config={"minimum_ring_size": most, "maximum_ring_size": most},
        ),
    )
    assert isinstance(cluster, Cluster)
    assert (cluster.lb_policy.min_ring_size, cluster.lb_policy.max_ring_size) == (4096, 4096)
    refused(
        Kind.CLUSTER,
        fake.cluster("c", lb_policy="RING_HASH", ring_hash_lb_config={"minimum_ring_size": most + 1}),
    )


@pytest.mark.parametrize("weights", [(1, 2**32 - 2), (1,) * 50, (3, 2**31)])
def test_a_ring_of_any_weights_has_a_place_for_some_and_an_end(weights: tuple[int, ...]) -> None:
    made = fake.endpoints("e")
    fake.add_locality(made, [f"10.0.0.{i}:80" for i in range(1, len(weights) + 1)])
    for entry, weight in zip(made.endpoints[0].lb_endpoints, weights, strict=True):
        entry.load_balancing_weight.value = weight
    endpoints = parse(Kind.ENDPOINTS, made)
    ready = {each.address: Readiness.READY for each in endpoints.localities[0].endpoints}
    picker = make_picker(endpoints, ready, lambda _: 0, LbPolicy("ring_hash", by_locality=False))
    assert {picker.pick(Ask(lambda _: 0, hash=i << 54)) for i in range(1024)} <= ready.keys()


BOMBS = {
    "repetition of repetition": "((a{30}){30}){30}",
    "too large for RE2": r"\pL{1000}",
    "large, but RE2 takes it": r"\pL{120}",
}


@pytest.mark.parametrize("why", BOMBS)
def test_a_regex_of_too_many_instructions_is_refused(why: str) -> None:
    """As Istio's sidecars refuse it: a handful of them would fill the memory."""
    headers = [fake.header("h", safe_regex_match={"regex": BOMBS[why]})]
    error = refused(Kind.ROUTE_CONFIG, fake.route_config("r", [fake.route("c", headers=headers)]))
    assert error.field == "virtual_hosts[0].routes[0].match.headers[0].safe_regex_match.regex"


def test_a_regex_that_hangs_other_engines_does_not_hang_this_one() -> None:
    headers = [fake.header("h", safe_regex_match={"regex": "(x+x+)+y"})]
    routes = parse(Kind.ROUTE_CONFIG, fake.route_config("r", [fake.route("c", headers=headers)]))
    assert isinstance(routes, RouteConfig)
    call = CallHeaders("/s/m", "a", [("h", "x" * 100_000)])
    assert list(RouteTable(routes.virtual_hosts[0]).matches(call, lambda _: 0)) == []


def test_a_text_of_a_megabyte_in_every_field() -> None:
    """Where Python's own `re` reads what the control plane wrote, it must not backtrack."""
    long = "%" * 1_000_001
    made = fake.route_config("r", [fake.route("c")])
    made.request_headers_to_add.add().header.value = long
    made.request_headers_to_add[0].header.key = "a" * 1_000_000
    made.virtual_hosts[0].routes[0].route.hash_policy.add().header.header_name = "a" * 1_000_000
    rewrite = made.virtual_hosts[0].routes[0].route.hash_policy[0].header.regex_rewrite
    rewrite.pattern.regex, rewrite.substitution = "(a)", "\\\\" * 500_000
    made.virtual_hosts[0].routes[0].route.retry_policy.retry_on = "," * 1_000_000
    assert parse(Kind.ROUTE_CONFIG, made).virtual_hosts


ODD_ADDRESSES = [
    "",
    "a.com",
    "10.0.0.1 ",
    "010.0.0.1",
    "1.2.3.4.5",
    "::1%eth0",
    "::1%]:1",
    "::1%\0",
    "[::1]",
    "٣.1.1.1",
]


@pytest.mark.parametrize("address", ODD_ADDRESSES, ids=ascii)
def test_only_ip_addresses_are_connected_to(address: str) -> None:
    made = fake.endpoints("e", "10.0.0.1:80")
    made.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address = address
    error = refused(Kind.ENDPOINTS, made)
    assert error.field == "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address"


def test_one_address_written_in_two_ways_stands_there_twice() -> None:
    made = fake.endpoints("e", "::1:80", "0:0:0:0:0:0:0:1:80")
    assert "[::1]:80 stands here twice" in refused(Kind.ENDPOINTS, made).reason


@pytest.mark.parametrize(
    "seconds, nanos", [(-1, 0), (315_576_000_001, 0), (2**63 - 1, 0), (0, -1), (0, 10**9)]
)
def test_durations_out_of_range(seconds: int, nanos: int) -> None:
    made = fake.route_config("r", [fake.route("c")])
    limit = made.virtual_hosts[0].routes[0].route.max_stream_duration.max_stream_duration
    limit.seconds, limit.nanos = seconds, nanos
    assert refused(Kind.ROUTE_CONFIG, made).field.startswith(
        "virtual_hosts[0].routes[0].route.max_stream_duration"
    )


def test_names_that_are_no_text() -> None:
    for raw in (b"\xff", b"\xed\xa0\x80", b"\xc0\x80"):
        for kind in Kind:
            assert "cannot be decoded" in refused(kind, field(1, raw)).reason


def test_a_domain_of_many_stars() -> None:
    for domain in ("**", "a*b", "*a*", "", "*" * 100_000):
        made = fake.route_config("r", [fake.route("c")], [domain])
        assert refused(Kind.ROUTE_CONFIG, made).field == "virtual_hosts[0].domains[0]"
