"""What is refused before its type is looked at."""

from __future__ import annotations

import pytest
from envoy.config.route.v3.route_components_pb2 import RouteMatch
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from google.protobuf.any_pb2 import Any as AnyProto
from proxyless.errors import ResourceError
from proxyless.parse import parse_resource
from proxyless.resources import Kind

from tests.fakes import resources as fake

# --- the way in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_the_name_is_required(kind: Kind) -> None:
    with pytest.raises(ResourceError, match="is empty") as caught:
        parse_resource(kind, kind.type_url, b"")
    assert caught.value.resource is None
    assert caught.value.field == ("cluster_name" if kind is Kind.ENDPOINTS else "name")


@pytest.mark.parametrize("kind", Kind)
def test_bytes_that_are_no_message(kind: Kind) -> None:
    with pytest.raises(ResourceError, match="cannot be decoded as envoy") as caught:
        parse_resource(kind, kind.type_url, b"\xff")
    assert (caught.value.resource, caught.value.field) == (None, "")
    wrapper = Wrapper(name="n", resource=AnyProto(type_url=kind.type_url, value=b"\xff"))
    with pytest.raises(ResourceError, match="cannot be decoded as envoy") as caught:
        parse_resource(kind, fake.type_url(wrapper), wrapper.SerializeToString())
    assert caught.value.resource == "n"  # the wrapper knew the name


def test_another_type_than_the_response_said() -> None:
    with pytest.raises(ResourceError, match=r"expected .*Cluster, found .*Listener'"):
        parse_resource(Kind.CLUSTER, fake.LDS, fake.listener("l").SerializeToString())


def test_a_wrapper_that_is_none() -> None:
    with pytest.raises(ResourceError, match="the resource wrapper cannot be decoded"):
        parse_resource(Kind.CLUSTER, fake.type_url(Wrapper()), b"\xff")


def test_unknown_field_number_is_one_our_protos_do_not_have() -> None:
    assert 1000 not in RouteMatch.DESCRIPTOR.fields_by_number
