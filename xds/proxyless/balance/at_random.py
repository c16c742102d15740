"""Random: any ready endpoint, each as likely (Envoy's RANDOM)."""

from __future__ import annotations

from collections.abc import Mapping

from ..resources import LbPolicy
from .ask import Ask, Draw, Host, Readiness, fresh, ready


class AtRandom:
    """Draws anew for each call."""

    __slots__ = ("addresses",)

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self.addresses = addresses

    def pick(self, ask: Ask) -> str:
        """Draw one of the addresses."""
        choices = fresh(self.addresses, ask.avoid)
        return choices[ask.draw(len(choices))]


def make_random(
    policy: LbPolicy, hosts: tuple[Host, ...], readiness: Mapping[str, Readiness], draw: Draw
) -> AtRandom:
    """Make one over those hosts that are ready."""
    return AtRandom(ready(hosts, readiness))
