"""Parses what a test has made: what becomes of it, or what the NACK names."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.struct_pb2 import Struct
from proxyless.errors import ResourceError
from proxyless.parse import Parsed, parse_resource
from proxyless.resources import KIND_OF_TYPE_URL, Action, Listener, RouteConfig
from xds.type.v3.typed_struct_pb2 import TypedStruct

from tests.fakes import resources as fake

FAULT_URL = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
TO_C = {"cluster": "c"}
ROUTER_URL = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
UNKNOWN_URL = "type.googleapis.com/google.protobuf.Struct"
HCM_URL = fake.type_url(fake.HttpConnectionManager())
HCM_AT = "api_listener.api_listener"
ROUTER = {
    "name": "router",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
}


def parse(message: Any) -> Parsed:
    """What the resource becomes, and what is noted."""
    url = fake.type_url(message)
    return parse_resource(KIND_OF_TYPE_URL[url], url, message.SerializeToString())


def listener(**hcm: Any) -> Listener:
    """A listener with these fields of its HttpConnectionManager."""
    parsed = parse(fake.listener("l", **hcm))
    assert isinstance(parsed.resource, Listener)
    return parsed.resource


def routes(*each: dict[str, Any]) -> RouteConfig:
    """A route configuration of these routes."""
    parsed = parse(fake.route_config("r", each))
    assert isinstance(parsed.resource, RouteConfig)
    return parsed.resource


def only_route(match: dict[str, Any]) -> Any:
    """The match of a route to a cluster."""
    return routes({"match": match, "route": {"cluster": "c"}}).virtual_hosts[0].routes[0].match


def action(route: dict[str, Any]) -> Action:
    """The action of a route to a cluster, with more fields of it."""
    return (
        routes({"match": {"prefix": ""}, "route": {"cluster": "c", **route}})
        .virtual_hosts[0]
        .routes[0]
        .action
    )


def packed(message: Any) -> AnyProto:
    """The message in an Any."""
    made = AnyProto()
    made.Pack(message)
    return made


def refusal(message: Any) -> ResourceError:
    """Why the resource is refused."""
    url = fake.type_url(message)
    with pytest.raises(ResourceError) as caught:
        parse_resource(KIND_OF_TYPE_URL[url], url, message.SerializeToString())
    return caught.value


def check(message: Any, field: str, reason: str) -> None:
    """Hold the refusal to the field it has to name and the reason."""
    error = refusal(message)
    assert (error.resource, error.field) == (fake.name_of(message), field)
    assert reason in error.reason
    assert str(error) == f"{error.resource}: {field}: {error.reason}"


def typed_struct(url: str) -> AnyProto:
    """An empty TypedStruct that stands for this type."""
    return packed(TypedStruct(type_url=url, value=Struct()))


def api_listener_of(any_proto: AnyProto) -> Any:
    """A listener `l` of whatever is in the Any."""
    made = fake.Listener(name="l")
    made.api_listener.api_listener.CopyFrom(any_proto)
    return made
