"""One parser a resource type, and the way in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from envoy.config.cluster.v3.cluster_pb2 import Cluster as ClusterProto
from envoy.config.listener.v3.listener_pb2 import Listener as ListenerProto
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from google.protobuf.message import DecodeError
from msgspec import Struct

from ..errors import ResourceError
from ..resources import Kind, Resource
from ..steps import Steps, finish
from .before import Before
from .cluster import parse_cluster
from .endpoints import ASSIGNMENT, parse_endpoints
from .listener import parse_listener
from .routes import ROUTE_CONFIG, parse_route_config
from .shells import Shell
from .support import Notes

_Parse: TypeAlias = Callable[[Any, Sequence[bytes], Notes, Before | None], Steps[Resource]]
"""Validates a message that was opened, in steps, with the version that is in force where there is one."""


def _at_once(parse: Callable[[Any, Notes], Resource]) -> _Parse:
    """What takes one step."""

    def steps(message: Any, _: Sequence[bytes], notes: Notes, __: Before | None) -> Steps[Resource]:
        yield
        return parse(message, notes)

    return steps


_PARSERS: dict[Kind, tuple[Shell, str, _Parse]] = {
    Kind.LISTENER: (Shell(ListenerProto), "name", parse_listener),
    Kind.ROUTE_CONFIG: (ROUTE_CONFIG, "name", parse_route_config),
    Kind.CLUSTER: (Shell(ClusterProto), "name", _at_once(parse_cluster)),
    Kind.ENDPOINTS: (ASSIGNMENT, "cluster_name", parse_endpoints),
}

_WRAPPER = "type.googleapis.com/envoy.service.discovery.v3.Resource"


class Parsed(Struct, frozen=True):
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
    """Parse and validate one resource of a response at once; raises as `parsing` does."""
    return finish(parsing(kind, type_url, data, lambda _: None))


def parsing(
    kind: Kind, type_url: str, data: bytes, in_force: Callable[[str], Before | None]
) -> Steps[Parsed]:
    """Parse and validate one resource of a response, in steps.

    `in_force` gives the version of a resource that is held, so that what it has in common with the new one
    stays as it is. Raises ResourceError, with the resource's name where it could be read.
    """
    name, type_url, data = unwrap(type_url, data)
    if type_url != kind.type_url:
        raise ResourceError("", f"expected {kind.type_url}, found {type_url!r}", name or None)
    shell, name_field, parse = _PARSERS[kind]
    try:
        message, elements = yield from shell.opening(data)
    except ResourceError as error:
        raise error.named(name) if name else error from None
    name = name or getattr(message, name_field)
    if not name:
        raise ResourceError(name_field, "is empty")
    before = in_force(name)
    if before is not None and before.resource is None:
        before = None
    if before is not None and before.resource is not None and before.data == data:
        return Parsed(name, before.resource, before.data, before.notes)
    notes = Notes()
    try:
        resource = yield from parse(message, elements, notes, before)
    except ResourceError as error:
        raise error.named(name) from None
    return Parsed(name, resource, data, tuple(notes.lines))
