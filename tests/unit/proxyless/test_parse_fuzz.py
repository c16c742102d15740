"""Whatever bytes come: a ResourceError or a valid resource, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from proxyless.balance import Readiness, make_picker
from proxyless.errors import ResourceError
from proxyless.match import CallHeaders, RouteTable, select_virtual_host
from proxyless.parse import parse_resource
from proxyless.resources import Cluster, ClusterAction, Endpoints, Kind, Listener, RouteConfig

from tests.fakes import resources as fake

MEANT = {
    Kind.LISTENER: Listener,
    Kind.ROUTE_CONFIG: RouteConfig,
    Kind.CLUSTER: Cluster,
    Kind.ENDPOINTS: Endpoints,
}
WRAPPER = "type.googleapis.com/envoy.service.discovery.v3.Resource"


def _full_endpoints() -> Any:
    made = fake.endpoints("e", "10.0.0.1:80")
    fake.add_locality(made, ["::1:80"], priority=1, zone="z", health="DRAINING")
    return made


def _full_routes() -> Any:
    headers = [
        fake.header("a", string_match={"prefix": "x", "ignore_case": True}),
        fake.header("b", range_match={"start": 1, "end": 5}, invert_match=True),
        fake.header("c", safe_regex_match={"regex": "d.*"}),
    ]
    retry = {"retry_on": "unavailable", "retry_back_off": {"base_interval": "1s", "max_interval": "2s"}}
    first = fake.route({"a": 3, "b": 0}, "/s", headers=headers)
    first["route"]["retry_policy"] = retry
    second = fake.route("c", runtime_fraction={"default_value": {"numerator": 5}})
    made = fake.route_config("r", [first, second, fake.route("c", path="/x")], ["*.com", "a", "b*"])
    fault = fake.HTTPFault(abort={"grpc_status": 14, "percentage": {"numerator": 100}})
    made.virtual_hosts[0].routes[0].typed_per_filter_config["f"].Pack(fault)
    return made


VALID = {
    Kind.LISTENER: [fake.listener("l"), fake.listener("l", _full_routes())],
    Kind.ROUTE_CONFIG: [_full_routes()],
    Kind.CLUSTER: [fake.cluster("c")],
    Kind.ENDPOINTS: [_full_endpoints()],
}


def check(kind: Kind, type_url: str, data: bytes) -> None:
    try:
        parsed = parse_resource(kind, type_url, data)
    except ResourceError as error:
        assert error.reason
        return
    assert parsed.name
    assert type(parsed.resource) is MEANT[kind]
    hash(parsed.resource)
    _use(parsed.resource)


def _use(resource: Any) -> None:
    """A valid resource is one the rest can work with."""
    if isinstance(resource, Listener):
        resource = resource.route_config
    if isinstance(resource, RouteConfig):
        select_virtual_host(resource.virtual_hosts, "a.com")
        for host in resource.virtual_hosts:
            table, call = RouteTable(host), CallHeaders("/s/m", "a.com", [("a", "x"), ("c", "dev")])
            matched = [route.index for route in table.matches(call, lambda _: 0)]
            assert matched == [step.route.index for step in table.explain(call, lambda _: 0) if step.matched]
            for route in host.routes:
                if isinstance(route.action, ClusterAction):
                    assert sum(cluster.weight for cluster in route.action.clusters) > 0
    if isinstance(resource, Endpoints):
        ready = {e.address: Readiness.READY for each in resource.localities for e in each.endpoints}
        make_picker(resource, ready, lambda _: 0)


KINDS = st.sampled_from(Kind)


@settings(max_examples=200, deadline=None)
@given(KINDS, st.binary(max_size=60), st.booleans())
def test_any_bytes(kind: Kind, data: bytes, wrapped: bool) -> None:
    check(kind, WRAPPER if wrapped else kind.type_url, data)


@settings(max_examples=50, deadline=None)
@given(KINDS, st.text(max_size=20), st.binary(max_size=20))
def test_any_type(kind: Kind, type_url: str, data: bytes) -> None:
    check(kind, type_url, data)


@settings(max_examples=250, deadline=None)
@given(KINDS, st.data())
def test_a_valid_resource_with_bytes_changed(kind: Kind, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(VALID[kind])).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    check(kind, kind.type_url, bytes(raw))


@settings(max_examples=400, deadline=None)
@given(KINDS, st.data())
def test_a_valid_resource_with_fields_changed(kind: Kind, data: st.DataObject) -> None:
    message = type(data.draw(st.sampled_from(VALID[kind])))()
    message.CopyFrom(data.draw(st.sampled_from(VALID[kind])))
    for _ in range(data.draw(st.integers(1, 4))):
        _change(message, data)
    check(kind, kind.type_url, message.SerializeToString())


def _change(message: Any, data: st.DataObject) -> None:
    """Set or clear one field of the message, or of one within it."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Any" and data.draw(st.booleans()):
        message.value = data.draw(st.binary(max_size=8))
        return
    fields = list(message.DESCRIPTOR.fields)
    present = [d for d, _ in message.ListFields() if d.message_type is not None]
    if present and data.draw(st.integers(0, 3)):
        field = data.draw(st.sampled_from(present))
        value = getattr(message, field.name)
        if field.is_repeated and field.message_type.GetOptions().map_entry:
            value = [value[key] for key in sorted(value)]
        _change(data.draw(st.sampled_from(list(value))) if field.is_repeated else value, data)
        return
    if not fields:
        return
    field = data.draw(st.sampled_from(fields))
    if data.draw(st.integers(0, 4)) == 0:
        message.ClearField(field.name)
    elif field.message_type is not None:
        if not field.is_repeated:
            getattr(message, field.name).SetInParent()
        elif not field.message_type.GetOptions().map_entry:
            getattr(message, field.name).add()
    elif field.is_repeated:
        getattr(message, field.name).append(_scalar(field, data))
    else:
        setattr(message, field.name, _scalar(field, data))


def _scalar(field: Any, data: st.DataObject) -> Any:
    if field.cpp_type == field.CPPTYPE_STRING:
        text = st.sampled_from(["", "*", "a", "a*b", "(", ".*", "10.0.0.1", "::1", "x\u0000y"])
        return data.draw(st.binary(max_size=4) if field.type == field.TYPE_BYTES else text)
    if field.cpp_type == field.CPPTYPE_BOOL:
        return data.draw(st.booleans())
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return data.draw(st.sampled_from([0.0, -1.0, float("inf"), float("nan")]))
    big = {
        field.CPPTYPE_INT32: 31,
        field.CPPTYPE_UINT32: 32,
        field.CPPTYPE_INT64: 63,
        field.CPPTYPE_UINT64: 64,
    }
    bits = big.get(field.cpp_type, 31)
    low = 0 if bits in (32, 64) else -(2**bits)
    return data.draw(st.sampled_from([0, 1, 2, 3, 99, 2**bits - 1, low]))


def test_the_seeds_are_valid() -> None:
    for kind, messages in VALID.items():
        for message in messages:
            resource = parse_resource(kind, kind.type_url, message.SerializeToString()).resource
            assert dataclasses.is_dataclass(resource)
