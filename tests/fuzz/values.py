"""What a fuzzer puts into fields: values that stand at an edge, and the messages that an Any may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.clusters.aggregate.v3.cluster_pb2 import ClusterConfig
from envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.load_balancing_policies.least_request.v3.least_request_pb2 import LeastRequest
from envoy.extensions.load_balancing_policies.pick_first.v3.pick_first_pb2 import PickFirst
from envoy.extensions.load_balancing_policies.random.v3.random_pb2 import Random as RandomPolicy
from envoy.extensions.load_balancing_policies.ring_hash.v3.ring_hash_pb2 import RingHash
from envoy.extensions.load_balancing_policies.round_robin.v3.round_robin_pb2 import RoundRobin
from envoy.extensions.load_balancing_policies.wrr_locality.v3.wrr_locality_pb2 import WrrLocality
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from xds.type.v3.typed_struct_pb2 import TypedStruct

_FILTERS: tuple[type[Any], ...] = (HTTPFault, Router, CorsPolicy, FilterConfig, TypedStruct, Duration)
_POLICIES: tuple[type[Any], ...] = (
    RoundRobin,
    LeastRequest,
    RandomPolicy,
    RingHash,
    PickFirst,
    WrrLocality,
    TypedStruct,
    Struct,
)
PAYLOADS: Mapping[str, tuple[type[Any], ...]] = {
    "ApiListener": (HttpConnectionManager,) * 8 + _FILTERS,
    "HttpFilter": _FILTERS,
    "FilterConfig": _FILTERS,
    "TypedPerFilterConfigEntry": _FILTERS,
    "CustomClusterType": (ClusterConfig,) * 4 + _POLICIES,
    "TypedExtensionConfig": _POLICIES,
}
"""What stands in the Any of a message, by the last word of its name."""

KNOWN = {
    made.DESCRIPTOR.full_name: made for made in (HttpConnectionManager, ClusterConfig, *_FILTERS, *_POLICIES)
}
"""Every message an Any is looked into for."""

_TEXTS: Sequence[str] = (
    "",
    "a",
    "b",
    "*",
    "*.com",
    "a*",
    "a*b",
    "**",
    "a.com",
    "fuzz:80",
    "/",
    "/s/m",
    "/s",
    "(",
    ".*",
    "[^,]*",
    "(a|b)*c",
    "(?i)d.*",
    "((a{100}){100}){100}",
    "x{1001}",
    r"\1",
    r"\\",
    r"(d)(.*)",
    r"\9x",
    "10.0.0.1",
    "::1",
    "::ffff:1.2.3.4",
    "fe80::1%eth0",
    "1.2.3.4.5",
    "010.0.0.1",
    "x\0y",
    "\n",
    "é",
    "\U0010ffff",
    "İ",
    "ſ",
    "content-type",
    ":path",
    "env-bin",
    "grpc-timeout",
    "Host",
    "x-a",
    "%REQ(x-a)%",
    "%%",
    "%",
    "%REQ(:path)%x%%",
    "%PROTOCOL%",
    "unavailable",
    "unavailable,5xx",
    "deadline-exceeded, reset",
    "io.grpc.channel_id",
    "v" * 300,
)
_EDGES = (0, 1, 2, 3, 5, 10, 16, 17, 80, 99, 100, 101, 200, 503, 1024, 4096, 65535, 65536, 999_999_999, 10**9)


def scalar(field: Any, rng: Random) -> Any:
    """Return a value for a field that holds no message."""
    if field.cpp_type == field.CPPTYPE_STRING:
        if field.type == field.TYPE_BYTES:
            return rng.randbytes(rng.randrange(9))
        return rng.choice(_TEXTS) if rng.randrange(8) else rng.choice(_TEXTS) + rng.choice(_TEXTS)
    if field.cpp_type == field.CPPTYPE_BOOL:
        return bool(rng.randrange(2))
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return rng.choice((0.0, -1.0, 100.0, 1e300, float("inf"), float("nan")))
    if field.cpp_type == field.CPPTYPE_ENUM:
        numbers = [value.number for value in field.enum_type.values]
        return rng.choice(numbers) if rng.randrange(8) else rng.choice((-1, 77, 2**31 - 1))
    signed = field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
    bits = 64 if field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else 32
    top = 2 ** (bits - signed) - 1
    return rng.choice((*_EDGES, top, top - 1, -top - 1 if signed else top // 2, -1 if signed else 7))
