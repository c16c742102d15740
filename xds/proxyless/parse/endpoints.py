"""EDS: localities, priorities, addresses, health (gRFC A27)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

from ..errors import ResourceError
from ..resources import Drop, Endpoint, Endpoints, Health, Locality, LocalityName
from ..steps import Steps
from .before import Before
from .scalars import fraction
from .shells import Shell, decode
from .support import Notes, check_fields

_HEALTH = {
    0: Health.UNKNOWN,
    1: Health.HEALTHY,
    2: Health.UNHEALTHY,
    3: Health.DRAINING,
    4: Health.TIMEOUT,
    5: Health.DEGRADED,
}
_MAX_TOTAL_WEIGHT = 2**32 - 1
_locality = lru_cache(LocalityName)
"""Thousands of clusters are in a few places between them: these are shared."""
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
"""An address in the one form that Python gives it, too, but takes a while to find out."""


ASSIGNMENT = Shell(ClusterLoadAssignment, "endpoints")
_LOCALITY = Shell(LocalityLbEndpoints, "lb_endpoints")


def parse_endpoints(
    message: Any, elements: Sequence[bytes], notes: Notes, before: Before | None = None
) -> Steps[Endpoints]:
    """Validate a ClusterLoadAssignment, opened, an endpoint a step; one as it was `before` stays the same.

    Localities without a weight are left out; priorities must have no gap, a locality may stand once in a
    priority, an address once in the whole.
    """
    check_fields(message, "", notes)
    known = {} if before is None or before.notes else (yield from _endpoints_of(before))
    localities: list[Locality] = []
    addresses: set[str] = set()
    for i, data in enumerate(elements):
        where = f"endpoints[{i}]"
        each, entries = yield from _LOCALITY.opening(data, where)
        check_fields(each, where, notes)
        endpoints = []
        for j, entry in enumerate(entries):
            yield
            endpoint = known.get(entry)
            if endpoint is None:
                at = f"{where}.lb_endpoints[{j}]"
                endpoint = _parse_endpoint(decode(LbEndpoint, entry, at), at, notes)
            address = endpoint.address
            if address in addresses:
                raise ResourceError(f"{where}.lb_endpoints[{j}]", f"{address} stands here twice")
            addresses.add(address)
            endpoints.append(endpoint)
        if not each.load_balancing_weight.value:
            if endpoints:
                notes.add(where, "a locality without load_balancing_weight gets no calls")
            continue
        name = _locality(each.locality.region, each.locality.zone, each.locality.sub_zone)
        localities.append(Locality(name, each.load_balancing_weight.value, each.priority, tuple(endpoints)))
    _check_priorities(localities)
    factor = None
    if message.HasField("policy"):
        check_fields(message.policy, "policy", notes)
        if message.policy.HasField("overprovisioning_factor"):
            factor = message.policy.overprovisioning_factor.value
            if not factor:
                raise ResourceError("policy.overprovisioning_factor", "must be above 0")
    return Endpoints(message.cluster_name, tuple(localities), _parse_drops(message, notes), factor)


def _endpoints_of(before: Before) -> Steps[dict[bytes, Endpoint]]:
    """The endpoints of a version by their bytes."""
    assert isinstance(before.resource, Endpoints)
    known: dict[bytes, Endpoint] = {}
    _, elements = yield from ASSIGNMENT.opening(before.data)
    weighted = []
    for data in elements:
        each, entries = yield from _LOCALITY.opening(data)
        if each.load_balancing_weight.value:
            weighted.append(entries)
    for entries, locality in zip(weighted, before.resource.localities, strict=True):
        for entry, endpoint in zip(entries, locality.endpoints, strict=True):
            yield
            known[entry] = endpoint
    return known


def _parse_drops(message: Any, notes: Notes) -> tuple[Drop, ...]:
    drops = []
    for i, each in enumerate(message.policy.drop_overloads):
        at = f"policy.drop_overloads[{i}]"
        check_fields(each, at, notes)
        if not each.category:
            raise ResourceError(f"{at}.category", "is empty")
        drops.append(Drop(each.category, fraction(each.drop_percentage, f"{at}.drop_percentage")))
    return tuple(drops)


def _check_priorities(localities: list[Locality]) -> None:
    seen: dict[int, set[LocalityName]] = {}
    totals: dict[int, int] = {}
    for locality in localities:
        names = seen.setdefault(locality.priority, set())
        if locality.name in names:
            raise ResourceError(
                "endpoints", f"locality {locality.name} stands twice in priority {locality.priority}"
            )
        names.add(locality.name)
        totals[locality.priority] = totals.get(locality.priority, 0) + locality.weight
        if totals[locality.priority] > _MAX_TOTAL_WEIGHT:
            raise ResourceError("endpoints", f"the weights of priority {locality.priority} exceed 2³²-1")
    for expected, priority in enumerate(sorted(seen)):
        if priority != expected:
            raise ResourceError("endpoints", f"there is no priority {expected}, but a priority {priority}")


def _parse_endpoint(message: Any, where: str, notes: Notes) -> Endpoint:
    check_fields(message, where, notes)
    if message.WhichOneof("host_identifier") != "endpoint":
        raise ResourceError(where, "has no endpoint")
    check_fields(message.endpoint, f"{where}.endpoint", notes)
    weight = 1
    if message.HasField("load_balancing_weight"):
        weight = message.load_balancing_weight.value
        if not weight:
            raise ResourceError(f"{where}.load_balancing_weight", "must be above 0")
    where = f"{where}.endpoint.address"
    if message.endpoint.address.WhichOneof("address") != "socket_address":
        raise ResourceError(where, "must be a socket_address")
    socket = message.endpoint.address.socket_address
    check_fields(socket, f"{where}.socket_address", notes)
    if socket.protocol != 0:
        raise ResourceError(f"{where}.socket_address.protocol", "must be TCP")
    if socket.WhichOneof("port_specifier") != "port_value" or not 0 < socket.port_value <= 65535:
        raise ResourceError(f"{where}.socket_address.port_value", f"{socket.port_value} is not a port")
    ip = socket.address if _IPV4.fullmatch(socket.address) else _ip(socket.address, f"{where}.socket_address")
    # A status this library does not know must not receive traffic.
    return Endpoint(ip, socket.port_value, _HEALTH.get(message.health_status, Health.UNHEALTHY), weight)


def _ip(text: str, where: str) -> str:
    """Return an IP address as Python writes it."""
    try:
        if "%" in text:
            raise ValueError  # An interface of whoever wrote it; Python takes anything behind the sign.
        return str(ip_address(text))
    except ValueError:
        raise ResourceError(f"{where}.address", f"{text!r} is not an IP address") from None
