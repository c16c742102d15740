"""Balancing and hash policies, and host names of clusters: what is taken for what, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from proxyless.admin import plain
from proxyless.errors import ResourceError
from proxyless.parse import Parsed, parse_resource
from proxyless.resources import (
    Cluster,
    ClusterAction,
    DnsDiscovery,
    HashCookie,
    HashPolicy,
    Kind,
    LbPolicy,
    RouteConfig,
)

from tests.fakes import resources as fake

POLICIES = "type.googleapis.com/envoy.extensions.load_balancing_policies"
UNKNOWN = {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {}}


def typed(name: str, **fields: Any) -> dict[str, Any]:
    """A policy by `package.Message`, as protobuf JSON."""
    return {"@type": f"{POLICIES}.{name}", **fields}


def policies(*configs: Mapping[str, Any]) -> dict[str, Any]:
    return {"policies": [{"typed_extension_config": {"name": "p", "typed_config": each}} for each in configs]}


def parsed(message: Any) -> Parsed:
    kind = Kind.CLUSTER if isinstance(message, fake.Cluster) else Kind.ROUTE_CONFIG
    return parse_resource(kind, kind.type_url, message.SerializeToString())


def refused(message: Any) -> tuple[str, str]:
    with pytest.raises(ResourceError) as caught:
        parsed(message)
    return caught.value.field, caught.value.reason


def policy_of(**fields: Any) -> LbPolicy:
    resource = parsed(fake.cluster("c", **fields)).resource
    assert isinstance(resource, Cluster)
    return resource.lb_policy


ROUND_ROBIN = typed("round_robin.v3.RoundRobin")
LEAST_REQUEST = typed("least_request.v3.LeastRequest", choice_count=3)
RING = typed("ring_hash.v3.RingHash", minimum_ring_size=8, maximum_ring_size=64)
WRR = "wrr_locality.v3.WrrLocality"

NEWER = {
    "round robin": (ROUND_ROBIN, LbPolicy(by_locality=False)),
    "random": (typed("random.v3.Random"), LbPolicy("random", by_locality=False)),
    "pick first": (typed("pick_first.v3.PickFirst"), LbPolicy("pick_first", by_locality=False)),
    "least request": (LEAST_REQUEST, LbPolicy("least_request", False, 3)),
    "least request of two": (typed("least_request.v3.LeastRequest"), LbPolicy("least_request", False, 2)),
    "least request of ten at most": (
        typed("least_request.v3.LeastRequest", choice_count=99),
        LbPolicy("least_request", False, 10),
    ),
    "ring hash": (RING, LbPolicy("ring_hash", False, min_ring_size=8, max_ring_size=64)),
    "by locality": (
        typed(WRR, endpoint_picking_policy=policies(LEAST_REQUEST)),
        LbPolicy("least_request", True, 3),
    ),
}


@pytest.mark.parametrize("what", NEWER)
def test_policies(what: str) -> None:
    config, expected = NEWER[what]
    assert policy_of(load_balancing_policy=policies(config)) == expected
    # It goes before the older field (gRFC A52).
    assert policy_of(load_balancing_policy=policies(config), lb_policy="RING_HASH") == expected


def test_the_first_policy_that_is_known_counts_and_the_rest_is_said() -> None:
    found = parsed(fake.cluster("c", load_balancing_policy=policies(UNKNOWN, RING, ROUND_ROBIN)))
    assert isinstance(found.resource, Cluster)
    assert found.resource.lb_policy.name == "ring_hash"
    at = "load_balancing_policy.policies[0].typed_extension_config.typed_config"
    assert f"{at}: google.protobuf.Struct is not supported: the policy after it is used" in found.notes


OLDER = {
    "ROUND_ROBIN": LbPolicy(),
    "RANDOM": LbPolicy("random"),
    "LEAST_REQUEST": LbPolicy("least_request"),
    "RING_HASH": LbPolicy("ring_hash", False),
    "MAGLEV": LbPolicy(),
}


@pytest.mark.parametrize("name", OLDER)
def test_older_policies(name: str) -> None:
    found = parsed(fake.cluster("c", lb_policy=name))
    assert isinstance(found.resource, Cluster)
    assert found.resource.lb_policy == OLDER[name]
    said = ("lb_policy: MAGLEV is not supported: round robin is used",) if name == "MAGLEV" else ()
    assert found.notes == said


FIRST = "load_balancing_policy.policies[0].typed_extension_config.typed_config"
REFUSED = {
    "no policy at all": (policies(), "load_balancing_policy", "none of its policies is supported ()"),
    "none that is known": (policies(UNKNOWN), "load_balancing_policy", "(google.protobuf.Struct)"),
    "one without a type": ({"policies": [{}]}, "load_balancing_policy", "(a policy without a type)"),
    "one to choose from": (
        policies(typed("least_request.v3.LeastRequest", choice_count=1)),
        f"{FIRST}.choice_count",
        "1 is below 2",
    ),
    "another hash": (
        policies(typed("ring_hash.v3.RingHash", hash_function="MURMUR_HASH_2")),
        f"{FIRST}.hash_function",
        "must be XX_HASH",
    ),
    "a ring of nothing": (
        policies(typed("ring_hash.v3.RingHash", minimum_ring_size=0)),
        f"{FIRST}.minimum_ring_size",
        "0 is not in [1, 8388608]",
    ),
    "bounds that cross": (
        policies(typed("ring_hash.v3.RingHash", minimum_ring_size=9, maximum_ring_size=8)),
        f"{FIRST}.minimum_ring_size",
        "9 is above maximum_ring_size 8",
    ),
    "a ring by locality": (
        policies(typed(WRR, endpoint_picking_policy=policies(RING))),
        f"{FIRST}.endpoint_picking_policy",
        "ring_hash has no localities to weigh",
    ),
    "localities of nothing": (
        policies(typed(WRR)),
        f"{FIRST}.endpoint_picking_policy",
        "none of its policies is supported",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_policies_that_are_refused(what: str) -> None:
    config, field, reason = REFUSED[what]
    at, why = refused(fake.cluster("c", load_balancing_policy=config))
    assert at == field
    assert reason in why


def test_older_policies_that_are_refused() -> None:
    ring = {"hash_function": "MURMUR_HASH_2"}
    at, _ = refused(fake.cluster("c", lb_policy="RING_HASH", ring_hash_lb_config=ring))
    assert at == "ring_hash_lb_config.hash_function"
    least = {"choice_count": 1}
    at, _ = refused(fake.cluster("c", lb_policy="LEAST_REQUEST", least_request_lb_config=least))
    assert at == "least_request_lb_config.choice_count"
    made = fake.cluster("c")
    made.lb_policy = 77
    assert refused(made) == ("lb_policy", "77 is not a known policy")


# --- host names -------------------------------------------------------------------------------------------


def by_name(socket: Mapping[str, Any], **fields: Any) -> Any:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": {"socket_address": dict(socket)}}}]}
    return fake.cluster("c", type="LOGICAL_DNS", load_assignment={"endpoints": [endpoint]}, **fields)


@pytest.mark.parametrize("asked, seconds", [(None, 5.0), ("7s", 7.0), ("0.01s", 1.0)])
def test_how_often_a_name_is_looked_up(asked: str | None, seconds: float) -> None:
    more = {} if asked is None else {"dns_refresh_rate": asked}
    resource = parsed(by_name({"address": "a.test", "port_value": 80}, **more)).resource
    assert isinstance(resource, Cluster)
    assert resource.discovery == DnsDiscovery("a.test", 80, seconds)


SOCKET = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address"


@pytest.mark.parametrize(
    "socket, field",
    [
        ({"address": "a.test", "port_value": 80, "resolver_name": "mine"}, "resolver_name"),
        ({"port_value": 80}, "address"),
        ({"address": "a.test"}, "port_value"),
        ({"address": "a.test", "port_value": 65536}, "port_value"),
        ({"address": "a.test", "named_port": "http"}, "port_value"),
    ],
)
def test_names_that_cannot_be_looked_up(socket: Mapping[str, Any], field: str) -> None:
    assert refused(by_name(socket))[0] == f"{SOCKET}.{field}"


# --- hash policies ----------------------------------------------------------------------------------------


def hashed_by(*given: Mapping[str, Any]) -> Any:
    route = fake.route("c")
    route["route"]["hash_policy"] = list(given)
    return fake.route_config("r", [route])


def rewrite(pattern: str, substitution: str) -> dict[str, Any]:
    rewriting = {"pattern": {"regex": pattern}, "substitution": substitution}
    return {"header": {"header_name": "X-A", "regex_rewrite": rewriting}}


def test_hash_policies() -> None:
    channel, other = ({"filter_state": {"key": key}} for key in ("io.grpc.channel_id", "other"))
    found = parsed(
        hashed_by(rewrite("(a)b", r"\1\\"), {**channel, "terminal": True}, other, {"cookie": {"name": "c"}})
    )
    assert isinstance(found.resource, RouteConfig)
    action = found.resource.virtual_hosts[0].routes[0].action
    assert isinstance(action, ClusterAction)
    assert action.hash_policies == (
        HashPolicy("x-a", "(a)b", r"\1\\"),
        HashPolicy(terminal=True),
        HashPolicy(cookie=HashCookie("c")),
    )
    at = "virtual_hosts[0].routes[0].route.hash_policy"
    assert (
        f"{at}[2].filter_state.key: has no effect here: only 'io.grpc.channel_id' is known (gRFC A42)"
        in found.notes
    )
    assert f"{at}[3].cookie: has no effect on gRPC calls" in found.notes


def test_what_only_http_requests_are_hashed_by() -> None:
    same_site = [{"name": "SameSite", "value": "Lax"}]
    cookie = {"name": "c", "ttl": "90.5s", "path": "/a", "attributes": same_site}
    found = parsed(
        hashed_by(
            {"cookie": cookie, "terminal": True}, {"cookie": {"name": "c", "ttl": "0s"}},
            {"query_parameter": {"name": "q"}}, {"connection_properties": {"source_ip": True}},
            *({"cookie": {"name": "c", **bad}} for bad in ({"name": "a b"}, {"path": "/;x"}, {"ttl": "-1s"})),
            {"query_parameter": {}},
        )
    )  # fmt: skip
    assert isinstance(found.resource, RouteConfig)
    action = found.resource.virtual_hosts[0].routes[0].action
    assert isinstance(action, ClusterAction)
    assert action.hash_policies == (
        HashPolicy(cookie=HashCookie("c", 90, "/a", (("SameSite", "Lax"),)), terminal=True),
        HashPolicy(cookie=HashCookie("c", 0)),
        HashPolicy(query="q"),
    )
    at = "virtual_hosts[0].routes[0].route.hash_policy"
    for note in (
        f"{at}[2].query_parameter: has no effect on gRPC calls",
        f"{at}[3].connection_properties: has no effect here",
        f"{at}[4].cookie.name: no cookie can have that",
        f"{at}[5].cookie.path: no cookie can have that",
        f"{at}[6].cookie.ttl: no cookie can have that",
    ):
        assert any(each.startswith(note) for each in found.notes), note


@pytest.mark.parametrize(
    "given, field",
    [
        ({"header": {}}, "header_name"),
        (rewrite("(", ""), "regex_rewrite.pattern.regex"),
        (rewrite("a", r"\1"), "regex_rewrite.substitution"),
        (rewrite("(a)", r"\2"), "regex_rewrite.substitution"),
        (rewrite("(a)", "\\x"), "regex_rewrite.substitution"),
        (rewrite("(a)", "\\"), "regex_rewrite.substitution"),
    ],
)
def test_hash_policies_that_are_refused(given: Mapping[str, Any], field: str) -> None:
    assert refused(hashed_by(given))[0] == f"virtual_hosts[0].routes[0].route.hash_policy[0].header.{field}"


# --- and of routes ----------------------------------------------------------------------------------------


def test_a_weight_that_is_missing_is_not_taken_for_0() -> None:
    made = fake.route_config("r", [fake.route({"a": 1, "b": 1})])
    clusters = made.virtual_hosts[0].routes[0].route.weighted_clusters.clusters
    clusters[1].ClearField("weight")
    assert refused(made) == (
        "virtual_hosts[0].routes[0].route.weighted_clusters.clusters[1].weight",
        "is missing",
    )


@pytest.mark.parametrize("body, shown", [(b"gone", "gone"), (b"\xff!", "\\xff!")])
def test_the_body_of_a_direct_response_can_be_dumped(body: bytes, shown: str) -> None:
    """JSON has no bytes, and one such route would leave the whole config dump without an answer."""
    made = fake.route_config("r", [{"match": {"prefix": ""}, "direct_response": {"status": 404}}])
    made.virtual_hosts[0].routes[0].direct_response.body.inline_bytes = body
    assert json.loads(json.dumps(plain(parsed(made).resource)))["virtual_hosts"][0]["routes"][0][
        "action"
    ] == {
        "status": 404,
        "body": shown,
    }


def test_an_action_on_headers_that_nobody_knows() -> None:
    made = fake.route_config("r", [fake.route("c")])
    option = made.request_headers_to_add.add()
    option.header.key, option.header.value, option.append_action = "x-a", "1", 77
    assert refused(made) == ("request_headers_to_add[0].append_action", "77 is not a known action")


@pytest.mark.parametrize("value", ["a\0b", "a\r\nb: c", "\n"])
def test_a_header_value_that_would_end_the_header(value: str) -> None:
    made = fake.route_config("r", [fake.route("c")])
    option = made.request_headers_to_add.add()
    option.header.key, option.header.value = "x-a", value
    assert refused(made)[0] == "request_headers_to_add[0].header.value"


@pytest.mark.parametrize("value", ["é", "a\tb", "\x7f"])
def test_a_header_value_that_grpc_cannot_send_is_left_out(value: str) -> None:
    """It would fail each call."""
    made = fake.route_config("r", [fake.route("c")])
    for key in ("x-a", "x-bin"):
        option = made.request_headers_to_add.add()
        option.header.key, option.header.value = key, value
    found = parsed(made)
    assert isinstance(found.resource, RouteConfig)
    assert [each.name for each in found.resource.edits.request.add] == ["x-bin"]
    assert any("gRPC sends printable ASCII only" in note for note in found.notes)


def test_an_interval_of_outlier_detection_leaves_time_for_calls() -> None:
    resource = parsed(fake.cluster("c", outlier_detection={"interval": "0.000000001s"})).resource
    assert isinstance(resource, Cluster)
    assert resource.outlier_detection is not None
    assert resource.outlier_detection.interval == 0.001


def test_a_timeout_of_ten_thousand_years_is_one_that_grpc_can_count_to() -> None:
    route = fake.route("c")
    route["route"]["max_stream_duration"] = {"max_stream_duration": "315576000000s"}
    resource = parsed(fake.route_config("r", [route])).resource
    assert isinstance(resource, RouteConfig)
    action = resource.virtual_hosts[0].routes[0].action
    assert isinstance(action, ClusterAction)
    assert action.max_stream_duration == 1e9
