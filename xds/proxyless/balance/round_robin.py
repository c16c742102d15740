"""Round robin: each ready endpoint in turn (gRFC A27)."""

from __future__ import annotations

from collections.abc import Mapping

from ..resources import LbPolicy
from .ask import Ask, Draw, Host, Readiness, ready


class RoundRobin:
    """Takes turns, from a random start: many clients do not all begin with the same endpoint."""

    __slots__ = ("_turn", "addresses")

    def __init__(self, addresses: tuple[str, ...], draw: Draw) -> None:
        self.addresses = addresses
        self._turn = draw(len(addresses)) if addresses else 0

    def pick(self, ask: Ask) -> str:
        """Take the next address in turn, one that is not to be avoided where there is one."""
        count = len(self.addresses)
        self._turn = (self._turn + 1) % count
        for turn in (*range(self._turn, count), *range(self._turn)) if ask.avoid else ():
            if self.addresses[turn] not in ask.avoid:
                self._turn = turn
                break
        return self.addresses[self._turn]


def make_round_robin(
    policy: LbPolicy, hosts: tuple[Host, ...], readiness: Mapping[str, Readiness], draw: Draw
) -> RoundRobin:
    """Make one over those hosts that are ready."""
    return RoundRobin(ready(hosts, readiness), draw)
