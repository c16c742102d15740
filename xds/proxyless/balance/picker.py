"""From endpoints and what their subchannels say to a picker: priority, locality by weight, policy."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Set

from msgspec import Struct, field

from ..resources import Endpoints, LbPolicy
from .ask import Ask, Draw, Host, Policy, Readiness
from .policies import POLICIES
from .priorities import Group, addresses, serving, usable_by_priority
from .weighted import draw_weighted

ROUND_ROBIN = LbPolicy()
_NO_CAUSES: Mapping[str, str] = {}


class Status(enum.Enum):
    """What a picker can do for a call right now."""

    USABLE = "usable"
    WAITING = "waiting"
    UNUSABLE = "unusable"


class _Tier(Struct):
    """The localities of one priority: each a policy, drawn by weight."""

    share: int
    members: list[Policy]
    weights: list[int]

    def pick(self, ask: Ask) -> str | None:
        members, weights = self.members, self.weights
        if len(members) == 1:
            return members[0].pick(ask)
        if ask.avoid:
            fresh = [i for i, each in enumerate(members) if any(a not in ask.avoid for a in each.addresses)]
            if fresh:
                members, weights = [members[i] for i in fresh], [weights[i] for i in fresh]
        return draw_weighted(members, weights, ask.draw).pick(ask)


class Picker(Struct):
    """Picks among the endpoints of one cluster; built anew whenever one of them changes."""

    status: Status
    reason: str = ""
    _tiers: list[_Tier] = field(default_factory=list)

    @property
    def sole(self) -> Policy | None:
        """The one policy that picks for every call, where priorities and localities leave no choice."""
        alone = len(self._tiers) == 1 and len(self._tiers[0].members) == 1
        return self._tiers[0].members[0] if self.status is Status.USABLE and alone else None

    def pick(self, ask: Ask) -> str | None:
        """Return the address for a call; None where the one that must serve it is still connecting."""
        tiers = self._tiers
        if len(tiers) == 1:
            return tiers[0].pick(ask)
        return draw_weighted(tiers, [tier.share for tier in tiers], ask.draw).pick(ask)


def make_picker(
    endpoints: Endpoints,
    readiness: Mapping[str, Readiness],
    draw: Draw,
    policy: LbPolicy = ROUND_ROBIN,
    ejected: Set[str] = frozenset(),
    causes: Mapping[str, str] = _NO_CAUSES,
) -> Picker:
    """Decide what a cluster's endpoints can do now; an address not in `readiness` counts as connecting.

    Those that outlier detection has `ejected` count as failed (gRFC A50). `causes` says why others have.
    """
    states = {**readiness, **dict.fromkeys(ejected, Readiness.FAILED)} if ejected else readiness
    known = [address for group in usable_by_priority(endpoints) for address in addresses(group)]
    if not known:
        return Picker(Status.UNUSABLE, _nothing_usable(endpoints))
    now = serving(endpoints, states)
    if now.groups:
        tiers = [_tier(share, group, states, draw, policy) for share, group in now.groups]
        return Picker(Status.USABLE, "", tiers)
    if now.connecting:
        return Picker(Status.WAITING, f"connecting to {', '.join(addresses(now.connecting)[:3])}")
    first = known[0]
    cause = "ejected as an outlier" if first in ejected else causes.get(first, "")
    why = f"{first}: {cause}" if cause else first
    return Picker(Status.UNUSABLE, f"none of its {len(known)} endpoints can be reached ({why})")


def _tier(
    share: int, group: Group, readiness: Mapping[str, Readiness], draw: Draw, policy: LbPolicy
) -> _Tier:
    make = POLICIES[policy.name]
    hosts = [
        tuple(Host(endpoint.address, endpoint.weight * locality.weight) for endpoint in endpoints)
        for locality, endpoints in group
    ]
    if not policy.by_locality:
        everyone = tuple(host for locality in hosts for host in locality)
        return _Tier(share, [make(policy, everyone, readiness, draw)], [1])
    members, weights = [], []
    for (locality, _), each in zip(group, hosts, strict=True):
        member = make(policy, each, readiness, draw)
        if member.addresses:
            members.append(member)
            weights.append(locality.weight)
    return _Tier(share, members, weights)


def _nothing_usable(endpoints: Endpoints) -> str:
    known = [endpoint for locality in endpoints.localities for endpoint in locality.endpoints]
    if not known:
        return "it has no endpoints"
    first = known[0]
    return f"none of its {len(known)} endpoints is healthy ({first.address} is {first.health.value})"
