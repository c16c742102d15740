"""Least request: of a few drawn at random, the one with the fewest calls in flight (gRFC A48)."""

from __future__ import annotations

from collections.abc import Mapping

from ..resources import LbPolicy
from .ask import Ask, Draw, Host, Readiness, fresh, ready


class LeastRequest:
    """Draws `choice_count` times, the same endpoint perhaps more than once, and compares."""

    __slots__ = ("_choices", "addresses")

    def __init__(self, addresses: tuple[str, ...], choices: int) -> None:
        self.addresses = addresses
        self._choices = choices

    def pick(self, ask: Ask) -> str:
        """Take the least loaded of those drawn, the first drawn of equals."""
        addresses = fresh(self.addresses, ask.avoid)
        drawn = [addresses[ask.draw(len(addresses))] for _ in range(self._choices)]
        return min(drawn, key=ask.load)


def make_least_request(
    policy: LbPolicy, hosts: tuple[Host, ...], readiness: Mapping[str, Readiness], draw: Draw
) -> LeastRequest:
    """Make one over those hosts that are ready."""
    return LeastRequest(ready(hosts, readiness), policy.choice_count)
