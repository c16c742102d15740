"""One parser a resource type, and the way in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster as ClusterProto
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener as ListenerProto
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from google.protobuf.message import DecodeError

from ..errors import ResourceError
from ..resources import Kind, Resource
from .cluster import parse_cluster
from .endpoints import parse_endpoints
from .listener import parse_listener
from .routes import parse_route_config
from .support import Notes

_PARSERS: dict[Kind, tuple[type[Any], str, Callable[[Any, Notes], Resource]]] = {
    Kind.LISTENER: (ListenerProto, "name", parse_listener),
    Kind.ROUTE_CONFIG: (RouteConfiguration, "name", parse_route_config),
    Kind.CLUSTER: (ClusterProto, "name", parse_cluster),
    Kind.ENDPOINTS: (ClusterLoadAssignment, "cluster_name", parse_endpoints),
}

_WRAPPER = "type.googleapis.com/envoy.service.discovery.v3.Resource"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A valid resource, its bytes, and what it says without effect here."""

    name: str
    resource: Resource
    data: bytes
    notes: tuple[str, ...]


def unwrap(type_url: str, data: bytes) -> tuple[str, str, bytes]:
    """Look through the discovery Resource wrapper: (name where the wrapper gives one, type URL, bytes).

    Raises ResourceError where the wrapper cannot be decoded.
    """
    if type_url != _WRAPPER:
        return "", type_url, data
    wrapper = Wrapper()
    try:
        wrapper.ParseFromString(data)
    except DecodeError as error:
        raise ResourceError("", f"the resource wrapper cannot be decoded: {error}") from None
    return wrapper.name, wrapper.resource.type_url, wrapper.resource.value


def parse_resource(kind: Kind, type_url: str, data: bytes) -> Parsed:
    """Parse and validate one resource of a response.

    Raises ResourceError, with the resource's name where it could be read.
    """
    name, type_url, data = unwrap(type_url, data)
    if type_url != kind.type_url:
        raise ResourceError("", f"expected {kind.type_url}, found {type_url!r}", name or None)
    proto, name_field, parse = _PARSERS[kind]
    message = proto()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ResourceError(
            "", f"cannot be decoded as {proto.DESCRIPTOR.full_name}: {error}", name or None
        ) from None
    name = name or getattr(message, name_field)
    if not name:
        raise ResourceError(name_field, "is empty")
    notes = Notes()
    try:
        resource = parse(message, notes)
    except ResourceError as error:
        raise error.named(name) from None
    return Parsed(name, resource, data, tuple(notes.lines))
