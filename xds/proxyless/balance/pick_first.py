"""Pick first: the first endpoint in order that can be reached gets every call (gRFC A62)."""

from __future__ import annotations

from collections.abc import Mapping

from ..resources import LbPolicy
from .ask import Ask, Draw, Host, Readiness, fresh, ready


class PickFirst:
    """Waits for an endpoint before the first ready one while that is still connecting."""

    __slots__ = ("_waits", "addresses")

    def __init__(self, addresses: tuple[str, ...], waits: bool) -> None:
        self.addresses = addresses
        self._waits = waits

    def pick(self, ask: Ask) -> str | None:
        """Return the first ready address; None while one before it may still become so."""
        if self._waits and not ask.avoid:
            return None
        return fresh(self.addresses, ask.avoid)[0]


def make_pick_first(
    policy: LbPolicy, hosts: tuple[Host, ...], readiness: Mapping[str, Readiness], draw: Draw
) -> PickFirst:
    """Make one over all hosts, in the order given."""
    states = (readiness.get(host.address, Readiness.CONNECTING) for host in hosts)
    first = next((state for state in states if state is not Readiness.FAILED), None)
    return PickFirst(ready(hosts, readiness), first is Readiness.CONNECTING)
