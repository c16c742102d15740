"""What a policy is told of the call it picks an endpoint for, and what it answers with."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from msgspec import Struct

from ..resources import LbPolicy

Draw: TypeAlias = Callable[[int], int]
"""Draw(n) gives a random integer in [0, n)."""


class Readiness(enum.Enum):
    """What a subchannel says of its endpoint; IDLE and CONNECTING are both "not known yet"."""

    READY = "READY"
    CONNECTING = "CONNECTING"
    FAILED = "TRANSIENT_FAILURE"


class Host(Struct, frozen=True):
    """An endpoint as policies see it; its weight is its own times its locality's."""

    address: str
    weight: int = 1


def _nothing(address: str) -> int:
    return 0


class Ask(Struct):
    """One call that needs an endpoint."""

    draw: Draw
    avoid: frozenset[str] = frozenset()
    """Addresses that a retry has tried already: picked only where there is no other."""
    hash: int | None = None
    """The call's hash of 64 bits (gRFC A42); None where no policy of its route gives one."""
    load: Callable[[str], int] = _nothing
    """The calls in flight to an address."""


class Policy(Protocol):
    """Picks among the endpoints of one locality, or of one priority."""

    addresses: tuple[str, ...]
    """Those that can serve now."""

    def pick(self, ask: Ask) -> str | None:
        """Return an address; None where the one that must serve the call is still connecting."""
        ...


Maker: TypeAlias = Callable[[LbPolicy, tuple[Host, ...], Mapping[str, Readiness], Draw], Policy]
"""Makes a policy over hosts; an address that is not in the mapping is still connecting."""


def ready(hosts: tuple[Host, ...], readiness: Mapping[str, Readiness]) -> tuple[str, ...]:
    """Return the addresses that can serve now."""
    return tuple(host.address for host in hosts if readiness.get(host.address) is Readiness.READY)


def fresh(addresses: tuple[str, ...], avoid: frozenset[str]) -> tuple[str, ...]:
    """Leave out those to avoid, unless that leaves nothing."""
    if not avoid:
        return addresses
    return tuple(address for address in addresses if address not in avoid) or addresses
