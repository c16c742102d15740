"""Endpoints of a cluster, by locality."""

from __future__ import annotations

import enum

from msgspec import Struct

from .matching import Fraction


class Health(enum.Enum):
    """envoy.config.core.v3.HealthStatus, folded to what decides."""

    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    DRAINING = "DRAINING"
    TIMEOUT = "TIMEOUT"
    DEGRADED = "DEGRADED"

    @property
    def usable(self) -> bool:
        return self in (Health.UNKNOWN, Health.HEALTHY)


class Endpoint(Struct, frozen=True, gc=False):
    """An address and what is known of its health."""

    ip: str
    port: int
    health: Health = Health.UNKNOWN
    weight: int = 1

    @property
    def address(self) -> str:
        """`ip:port`, with an IPv6 address in brackets."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


class LocalityName(Struct, frozen=True, gc=False):
    """region/zone/sub_zone."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""

    def __str__(self) -> str:
        return "/".join((self.region, self.zone, self.sub_zone)).rstrip("/") or "-"


class Locality(Struct, frozen=True, gc=False):
    """envoy.config.endpoint.v3.LocalityLbEndpoints with a weight above 0."""

    name: LocalityName
    weight: int
    priority: int
    endpoints: tuple[Endpoint, ...]


class Drop(Struct, frozen=True, gc=False):
    """A share of the calls that the control plane wants refused (DropOverload)."""

    category: str
    fraction: Fraction


class Endpoints(Struct, frozen=True, gc=False):
    """envoy.config.endpoint.v3.ClusterLoadAssignment."""

    name: str
    localities: tuple[Locality, ...] = ()
    drops: tuple[Drop, ...] = ()
    overprovisioning: int | None = None
    """In percent; None hands over to the next priority only once nothing of one can be reached."""
