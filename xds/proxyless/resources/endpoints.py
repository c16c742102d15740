"""Endpoints of a cluster, by locality."""

from __future__ import annotations

import enum
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and what is known of its health."""

    ip: str
    port: int
    health: Health = Health.UNKNOWN
    weight: int = 1

    @property
    def address(self) -> str:
        """`ip:port`, with an IPv6 address in brackets."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class LocalityName:
    """region/zone/sub_zone."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""

    def __str__(self) -> str:
        return "/".join((self.region, self.zone, self.sub_zone)).rstrip("/") or "-"


@dataclass(frozen=True, slots=True)
class Locality:
    """envoy.config.endpoint.v3.LocalityLbEndpoints with a weight above 0."""

    name: LocalityName
    weight: int
    priority: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """A share of the calls that the control plane wants refused (DropOverload)."""

    category: str
    fraction: Fraction


@dataclass(frozen=True, slots=True)
class Endpoints:
    """envoy.config.endpoint.v3.ClusterLoadAssignment."""

    name: str
    localities: tuple[Locality, ...] = ()
    drops: tuple[Drop, ...] = ()
    overprovisioning: int | None = None
    """In percent; None hands over to the next priority only once nothing of one can be reached."""
