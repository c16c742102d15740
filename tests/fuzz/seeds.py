"""Where a fuzzer begins: resources as a stock Istiod sends them, and as the tests do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from google.protobuf.json_format import ParseDict
from proxyless.resources import Kind

from tests.fakes import resources as fake
from tests.istiod.resources import TYPES

from .verdict import WRAPPER

RECORDED = Path(__file__).parents[1] / "data" / "istiod"
MESSAGES: dict[Kind, type[Any]] = {kind: TYPES[kind.value] for kind in Kind}
_KINDS = tuple(Kind)
_WRAPPED = 4


def encode(kind: Kind, data: bytes, *, wrapped: bool = False) -> bytes:
    """An input of the fuzzer: a byte that says the type and whether it is wrapped, then the resource."""
    return bytes([_KINDS.index(kind) | (_WRAPPED if wrapped else 0)]) + data


def decode(data: bytes) -> tuple[Kind, str, bytes]:
    """What `encode` was given, as `judge` takes it."""
    first = data[0] if data else 0
    kind = _KINDS[first & 3]
    return kind, WRAPPER if first & _WRAPPED else kind.type_url, data[1:]


def wrap(kind: Kind, name: str, data: bytes) -> bytes:
    """The bytes in the discovery service's wrapper."""
    made = Wrapper(name=name)
    made.resource.type_url, made.resource.value = kind.type_url, data
    return bytes(made.SerializeToString())


def recorded() -> Iterator[tuple[Kind, Any]]:
    """Every resource of the recorded worlds."""
    for path in sorted(RECORDED.glob("*.json")):
        for types in json.loads(path.read_text(encoding="utf-8"))["clients"].values():
            for kind in Kind:
                for each in types.get(kind.value, {}).values():
                    yield kind, ParseDict(each, MESSAGES[kind]())


def made_up() -> dict[Kind, list[Any]]:
    """Resources that say most of what the library understands."""
    return {
        Kind.LISTENER: [
            fake.listener("l"),
            fake.listener("l", _routes(), common_http_protocol_options={"max_stream_duration": "5s"}),
        ],
        Kind.ROUTE_CONFIG: [_routes()],
        Kind.CLUSTER: [fake.cluster("c"), *_clusters()],
        Kind.ENDPOINTS: [_endpoints()],
    }


def _endpoints() -> Any:
    made = fake.endpoints("e", "10.0.0.1:80", "10.0.0.2:80")
    fake.add_locality(made, ["::1:80"], priority=1, zone="z", health="DRAINING")
    made.policy.overprovisioning_factor.value = 140
    made.policy.drop_overloads.add(category="x").drop_percentage.numerator = 5
    return made


def _routes() -> Any:
    headers = [
        fake.header("a", string_match={"prefix": "x", "ignore_case": True}),
        fake.header("b", range_match={"start": 1, "end": 5}, invert_match=True),
        fake.header("x-a", safe_regex_match={"regex": "d.*"}),
        fake.header("c", present_match=False),
    ]
    first = fake.route({"a": 3, "b": 0}, "/s", headers=headers)
    first["response_headers_to_remove"] = ["x-gone"]
    first["request_headers_to_add"] = [
        {"header": {"key": "x-b", "value": "%REQ(x-a)%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    ]
    first["route"] |= {
        "retry_policy": {
            "retry_on": "unavailable,5xx",
            "num_retries": 3,
            "per_try_timeout": "1s",
            "retry_back_off": {"base_interval": "1s", "max_interval": "2s"},
        },
        "hash_policy": [
            {
                "header": {
                    "header_name": "x-a",
                    "regex_rewrite": {"pattern": {"regex": "(d)"}, "substitution": r"\1"},
                }
            },
            {"filter_state": {"key": "io.grpc.channel_id"}, "terminal": True},
        ],
        "request_mirror_policies": [
            {"cluster": "m", "runtime_fraction": {"default_value": {"numerator": 50}}}
        ],
        "max_stream_duration": {"grpc_timeout_header_max": "3s"},
    }
    second = fake.route("c", runtime_fraction={"default_value": {"numerator": 5, "denominator": "MILLION"}})
    third = fake.route("c", "/s", query_parameters=[{"name": "a", "string_match": {"prefix": "1"}}])
    third["route"] |= {"prefix_rewrite": "/t", "timeout": "3s"}
    fourth = fake.route("c", safe_regex={"regex": "/s/(.*)"}, grpc={})
    fourth["route"]["regex_rewrite"] = {"pattern": {"regex": "/s/(.*)"}, "substitution": r"/\1"}
    others = [
        {
            "match": {"path": "/s/m"},
            "redirect": {"host_redirect": "x", "https_redirect": True, "prefix_rewrite": "/"},
        },
        {
            "match": {"path_separated_prefix": "/s"},
            "direct_response": {"status": 404, "body": {"inline_string": "x"}},
        },
    ]
    routes = [first, second, third, fourth, *others, fake.route("c", path="/x")]
    made = fake.route_config("r", routes, ["*.com", "a", "b*"])
    made.virtual_hosts.append(fake.virtual_host("all", ["*"], [fake.route("d", "/")]))
    fault = fake.HTTPFault(abort={"grpc_status": 14, "percentage": {"numerator": 100}})
    fault.delay.header_delay.SetInParent()
    made.virtual_hosts[0].routes[0].typed_per_filter_config["envoy.filters.http.fault"].Pack(fault)
    return made


def _clusters() -> list[Any]:
    types = "type.googleapis.com/envoy.extensions"
    policies = f"{types}.load_balancing_policies"

    def policy(name: str, **fields: Any) -> dict[str, Any]:
        config = {"@type": f"{policies}.{name}", **fields}
        return {"policies": [{"typed_extension_config": {"name": name, "typed_config": config}}]}

    ring = policy("ring_hash.v3.RingHash", minimum_ring_size=8, maximum_ring_size=64)
    within = policy("least_request.v3.LeastRequest", choice_count=3)
    wrr = policy("wrr_locality.v3.WrrLocality", endpoint_picking_policy=within)
    outliers = {"interval": "1s", "consecutive_5xx": 2, "enforcing_failure_percentage": 50}
    limits = {"thresholds": [{"max_requests": 3}]}
    aggregate = {"@type": f"{types}.clusters.aggregate.v3.ClusterConfig", "clusters": ["a", "b"]}
    name = {"endpoint": {"address": {"socket_address": {"address": "a.com", "port_value": 80}}}}
    return [
        fake.cluster("c", load_balancing_policy=ring, outlier_detection=outliers, circuit_breakers=limits),
        fake.cluster("c", load_balancing_policy=wrr),
        fake.cluster("c", lb_policy="RING_HASH", ring_hash_lb_config={"minimum_ring_size": 16}),
        fake.cluster("c", lb_policy="LEAST_REQUEST"),
        fake.cluster("c", cluster_type={"name": "aggregate", "typed_config": aggregate}),
        fake.cluster("c", type="LOGICAL_DNS", load_assignment={"endpoints": [{"lb_endpoints": [name]}]}),
    ]


def inputs() -> Iterator[bytes]:
    """Every seed as an input of the fuzzer, each once; of what Istiod says, all that differs."""
    seen: set[bytes] = set()
    every = [(kind, message) for kind, messages in made_up().items() for message in messages]
    for kind, message in (*every, *recorded()):
        data = message.SerializeToString(deterministic=True)
        if data not in seen:
            seen.add(data)
            yield encode(kind, data)
    for kind, message in every:
        yield encode(kind, wrap(kind, "n", message.SerializeToString(deterministic=True)), wrapped=True)
