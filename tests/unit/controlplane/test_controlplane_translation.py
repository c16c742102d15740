"""Istio YAML to Envoy protobuf, as Istiod's grpc generator writes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.controlplane.served import (
    HOST,
    ROUTES,
    get,
    node,
    one_match,
    one_route,
    routes,
    virtual_service,
)


def test_listener_points_to_its_routes(world: Any) -> None:
    listener = get(world(), "LDS", f"{HOST}:9080")
    assert listener is not None
    manager = listener["apiListener"]["apiListener"]
    assert listener["address"]["socketAddress"] == {"address": "0.0.0.0", "portValue": 9080}
    assert manager["rds"] == {"configSource": {"ads": {}}, "routeConfigName": ROUTES}
    assert [f["name"] for f in manager["httpFilters"]] == [
        "envoy.filters.http.fault",
        "envoy.filters.http.router",
    ]


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        (f"{HOST}:9080", [f"{HOST}:9080"]),
        (HOST, [f"{HOST}:9080"]),
        ("reviews:9080", ["reviews:9080"]),
        ("reviews.default:9080", ["reviews.default:9080"]),
        ("reviews.default.svc:9080", ["reviews.default.svc:9080"]),
        (f"{HOST}:9081", []),
        ("ratings:9080", []),
        ("xds.istio.io/grpc/lds/inbound/0.0.0.0:9080", []),
    ],
)
def test_listeners_by_the_name_they_are_asked_for(world: Any, asked: str, served: list[str]) -> None:
    assert list(world().view(node()).resources("LDS", [asked]).by_name) == served


def test_short_names_are_for_clients_of_the_namespace(world: Any) -> None:
    assert not world().view(node("other")).resources("LDS", ["reviews:9080"]).by_name
    assert world().view(node("other")).resources("LDS", [f"{HOST}:9080"]).by_name


def test_clusters_and_their_endpoints(world: Any) -> None:
    snapshot = world()
    for subset, addresses in (("", ["127.0.1.1", "127.0.1.2"]), ("v1", ["127.0.1.1"]), ("v2", ["127.0.1.2"])):
        name = f"outbound|9080|{subset}|{HOST}"
        cluster = get(snapshot, "CDS", name)
        assert cluster is not None
        assert cluster["type"] == "EDS"
        assert cluster["edsClusterConfig"] == {"edsConfig": {"ads": {}}, "serviceName": name}
        assignment = get(snapshot, "EDS", name)
        assert assignment is not None
        (locality,) = assignment["endpoints"]
        assert [endpoint["endpoint"]["address"]["socketAddress"] for endpoint in locality["lbEndpoints"]] == [
            {"address": address, "portValue": 9080} for address in addresses
        ]
        assert locality["loadBalancingWeight"] == len(addresses)


@pytest.mark.parametrize(
    "name", ["outbound|9080|v9|" + HOST, "outbound|1||" + HOST, "outbound|9080||x", "x", ""]
)
def test_what_does_not_exist_is_no_cluster_and_has_no_endpoints(world: Any, name: str) -> None:
    assert get(world(), "CDS", name) is None
    assignment = get(world(), "EDS", name)
    if (
        "v9" not in name
    ):  # Istiod gives a subset it does not know every endpoint; without a cluster nobody asks
        assert assignment in ({"clusterName": name}, {})


def test_localities_and_weights(world: Any) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: far}
    spec:
      hosts: [far.example.com]
      resolution: STATIC
      ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}, {number: 81, name: other}]
      endpoints:
      - {address: 10.0.0.1, locality: eu/b/c, weight: 3}
      - {address: 10.0.0.2, locality: eu/a, ports: {http: 9999}}
      - {address: "fd00::1", locality: eu/b/c, weight: 2}
      - {address: 10.0.0.4, labels: {istio-locality: us.x}}
    """
    assignment = get(world(text), "EDS", "outbound|80||far.example.com")
    assert assignment is not None
    found = [
        (
            locality["locality"],
            locality["loadBalancingWeight"],
            [
                (e["endpoint"]["address"]["socketAddress"]["address"],
                 e["endpoint"]["address"]["socketAddress"]["portValue"],
                 e["loadBalancingWeight"])
                for e in locality["lbEndpoints"]
            ],
        )
        for locality in assignment["endpoints"]
    ]  # fmt: skip
    assert found == [
        ({"region": "eu", "zone": "a"}, 1, [("10.0.0.2", 9999, 1)]),
        ({"region": "eu", "zone": "b", "subZone": "c"}, 5, [("10.0.0.1", 8080, 3), ("fd00::1", 8080, 2)]),
        ({"region": "us", "zone": "x"}, 1, [("10.0.0.4", 8080, 1)]),
    ]


def test_the_default_route_carries_istio_s_retries_and_no_timeout(world: Any) -> None:
    (route,) = routes(world())
    assert route["name"] == "default"
    assert route["match"] == {"prefix": "/"}
    assert route["route"]["cluster"] == ROUTES
    assert route["route"]["timeout"] == "0s"
    retry = route["route"]["retryPolicy"]
    assert retry["retryOn"] == "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
    assert retry["numRetries"] == 2
    assert retry["hostSelectionRetryMaxAttempts"] == "5"
    assert retry["retryHostPredicate"][0]["name"] == "envoy.retry_host_predicates.previous_hosts"


@pytest.mark.parametrize(
    ("client", "short"),
    [
        ("default", ["reviews", "reviews.default.svc", "reviews.default"]),
        ("other", ["reviews.default", "reviews.default.svc"]),
    ],
)
def test_domains(world: Any, client: str, short: list[str]) -> None:
    found = get(world(), "RDS", ROUTES, node(client))
    assert found is not None
    (host,) = found["virtualHosts"]
    expected = [name + port for name in (HOST, HOST + ".", *short) for port in ("", ":9080")]
    assert host["domains"] == expected
    assert host["name"] == f"{HOST}:9080"


STRING = "stringMatch"
ABSENT = {"headers": [{"name": "a", "presentMatch": True, "invertMatch": True}]}
MATCHES = [
    ("headers: {a: {exact: x}}", {"headers": [{"name": "a", STRING: {"exact": "x"}}]}),
    ("headers: {a: {exact: ''}}", {"headers": [{"name": "a", STRING: {"exact": ""}}]}),
    ("headers: {a: {prefix: x}}", {"headers": [{"name": "a", STRING: {"prefix": "x"}}]}),
    ("headers: {a: {regex: x.*}}", {"headers": [{"name": "a", STRING: {"safeRegex": {"regex": "x.*"}}}]}),
    ("headers: {a: {}}", {"headers": [{"name": "a", "presentMatch": True}]}),
    (
        "headers: {b: {exact: x}, a: {exact: z}}",
        {"headers": [{"name": "a", STRING: {"exact": "z"}}, {"name": "b", STRING: {"exact": "x"}}]},
    ),
    (
        "withoutHeaders: {a: {exact: x}}",
        {"headers": [
            {"name": "a", STRING: {"exact": "x"}, "invertMatch": True, "treatMissingHeaderAsEmpty": True}
        ]},
    ),
    ("withoutHeaders: {a: {}}", ABSENT),
    ("withoutHeaders: {a: {regex: '*'}}", ABSENT),
    ("withoutHeaders: {a: null}", ABSENT),
    ("uri: {exact: /a}", {"path": "/a"}),
    ("uri: {prefix: /a}", {"prefix": "/a"}),
    ("uri: {regex: /a+}", {"safeRegex": {"regex": "/a+"}}),
    ("uri: {}", {"prefix": "/"}),
    ("ignoreUriCase: true", {"caseSensitive": False}),
    ("method: {exact: POST}", {"headers": [{"name": ":method", STRING: {"exact": "POST"}}]}),
    ("authority: {prefix: re}", {"headers": [{"name": ":authority", STRING: {"prefix": "re"}}]}),
    ("scheme: {exact: http}", {"headers": [{"name": ":scheme", STRING: {"exact": "http"}}]}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MATCHES)
def test_matches(world: Any, text: str, expected: dict[str, Any]) -> None:
    (route,) = routes(world(one_match("{" + text + "}")))
    path = {} if expected.keys() & {"path", "prefix", "safeRegex"} else {"prefix": "/"}
    assert route["match"] == {"caseSensitive": True, **path, **expected}
    assert route["route"]["cluster"] == f"outbound|9080|v2|{HOST}"


def test_several_matches_of_a_route_are_several_routes(world: Any) -> None:
    text = virtual_service(
        """
- name: lane
  match:
  - {name: one, headers: {a: {exact: "1"}}}
  - {headers: {a: {exact: "2"}}}
  route: [{destination: {host: reviews, subset: v2}}]
- name: rest
  route: [{destination: {host: reviews, subset: v1}}]
- name: never
  route: [{destination: {host: reviews, subset: v2}}]
"""
    )
    assert [route["name"] for route in routes(world(text))] == ["lane.one", "lane", "rest"]


def test_nothing_comes_behind_a_match_of_everything(world: Any) -> None:
    text = one_match("{uri: {regex: '.*'}}\n  - {uri: {exact: /a}}")
    assert len(routes(world(text))) == 1


def test_weights_keep_their_own_sum_and_drop_zeros(world: Any) -> None:
    text = virtual_service(
        """
- route:
  - {destination: {host: reviews, subset: v1}, weight: 3}
  - {destination: {host: reviews, subset: v2}, weight: 4}
  - {destination: {host: reviews}}
"""
    )
    (route,) = routes(world(text))
    assert route["route"]["weightedClusters"]["clusters"] == [
        {"name": f"outbound|9080|v1|{HOST}", "weight": 3},
        {"name": f"outbound|9080|v2|{HOST}", "weight": 4},
    ]


POLICIES = [
    ("timeout: 1.5s", "timeout", "1.500s"),
    ("timeout: 1.5s", "maxStreamDuration", {"maxStreamDuration": "1.500s"}),
    ("name: x", "maxStreamDuration", {"maxStreamDuration": "0s"}),
    ("retries: {attempts: 0}", "retryPolicy", None),
]


@pytest.mark.parametrize(("text", "field", "expected"), POLICIES)
def test_timeouts_and_retries_turned_off(world: Any, text: str, field: str, expected: object) -> None:
    (route,) = routes(world(one_route(text)))
    assert route["route"].get(field) == expected


RETRIES = [
    ("attempts: 5", {"numRetries": 5}),
    ("attempts: 1, perTryTimeout: 2s", {"perTryTimeout": "2s"}),
    (
        "attempts: 1, retryOn: 'reset,503'",
        {"retryOn": "reset,retriable-status-codes", "retriableStatusCodes": [503]},
    ),
    ("attempts: 1, retryOn: unavailable", {"retryOn": "unavailable"}),
    ("attempts: 1, retryIgnorePreviousHosts: false", {"retryHostPredicate": None}),
    ("attempts: 1, backoff: 10ms", {"retryBackOff": {"baseInterval": "0.010s"}}),
]


@pytest.mark.parametrize(("text", "expected"), RETRIES)
def test_retries(world: Any, text: str, expected: dict[str, object]) -> None:
    (route,) = routes(world(one_route(f"retries: {{{text}}}")))
    policy = route["route"]["retryPolicy"]
    assert {key: policy.get(key) for key in expected} == expected


MILLION = {"denominator": "MILLION"}
FAULTS = [
    (
        "abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}",
        {"abort": {"grpcStatus": 14, "percentage": {"numerator": 1_000_000, **MILLION}}},
    ),
    (
        "abort: {httpStatus: 503, percentage: {value: 0.5}}",
        {"abort": {"httpStatus": 503, "percentage": {"numerator": 5_000, **MILLION}}},
    ),
    ("abort: {grpcStatus: OK}", {"abort": {"grpcStatus": 0}}),
    (
        "delay: {fixedDelay: 2s, percentage: {value: 10}}",
        {"delay": {"fixedDelay": "2s", "percentage": {"numerator": 100_000, **MILLION}}},
    ),
    (
        "delay: {fixedDelay: 2s, percent: 10}",
        {"delay": {"fixedDelay": "2s", "percentage": {"numerator": 10}}},
    ),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_faults(world: Any, text: str, expected: dict[str, Any]) -> None:
    (route,) = routes(world(one_route(f"fault: {{{text}}}")))
    fault = dict(route["typedPerFilterConfig"]["envoy.filters.http.fault"])
    assert fault.pop("@type") == "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
    assert fault == expected
