"""EDS: localities, priorities, addresses, health (gRFC A27)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from ..errors import ResourceError
from ..resources import Drop, Endpoint, Endpoints, Health, Locality, LocalityName
from .scalars import fraction
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


def parse_endpoints(message: Any, notes: Notes) -> Endpoints:
    """Validate a ClusterLoadAssignment.

    Localities without a weight are left out; priorities must have no gap, a locality may stand once in a
    priority, an address once in the whole.
    """
    check_fields(message, "", notes)
    localities: list[Locality] = []
    addresses: set[str] = set()
    for i, each in enumerate(message.endpoints):
        where = f"endpoints[{i}]"
        check_fields(each, where, notes)
        endpoints = []
        for j, entry in enumerate(each.lb_endpoints):
            endpoint = _parse_endpoint(entry, f"{where}.lb_endpoints[{j}]", notes)
            if endpoint.address in addresses:
                raise ResourceError(f"{where}.lb_endpoints[{j}]", f"{endpoint.address} stands here twice")
            addresses.add(endpoint.address)
            endpoints.append(endpoint)
        if not each.load_balancing_weight.value:
            if endpoints:
                notes.add(where, "a locality without load_balancing_weight gets no calls")
            continue
        name = LocalityName(each.locality.region, each.locality.zone, each.locality.sub_zone)
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
    try:
        if "%" in socket.address:
            raise ValueError  # An interface of whoever wrote it; Python takes anything behind the sign.
        ip = str(ip_address(socket.address))
    except ValueError:
        raise ResourceError(
            f"{where}.socket_address.address", f"{socket.address!r} is not an IP address"
        ) from None
    # A status this library does not know must not receive traffic.
    return Endpoint(ip, socket.port_value, _HEALTH.get(message.health_status, Health.UNHEALTHY), weight)
