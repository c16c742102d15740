"""Which priorities serve, and with what share of the calls (gRFCs A27, A56; Envoy's overprovisioning).

Without an overprovisioning factor, the first priority with a ready endpoint serves all; one that is still
connecting is waited for; one whose endpoints have all failed hands over to the next. With a factor, as
Envoy has it, a priority hands over as much as its healthy endpoints, multiplied by the factor, fall short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from ..resources import Endpoint, Endpoints, Locality
from .ask import Readiness

Group: TypeAlias = Sequence[tuple[Locality, tuple[Endpoint, ...]]]
"""The localities of one priority, each with those of its endpoints whose health allows calls."""


def usable_by_priority(endpoints: Endpoints) -> list[Group]:
    """Group the endpoints whose health allows calls: priority, then locality."""
    groups: dict[int, list[tuple[Locality, tuple[Endpoint, ...]]]] = {}
    for locality in endpoints.localities:
        group = groups.setdefault(locality.priority, [])
        healthy = tuple(each for each in locality.endpoints if each.health.usable)
        if healthy:
            group.append((locality, healthy))
    return [groups[priority] for priority in sorted(groups)]


class Serving(Struct, frozen=True):
    """The groups that serve, each with its share; where there is none, the group that is connecting."""

    groups: tuple[tuple[int, Group], ...] = ()
    connecting: Group = ()


def serving(endpoints: Endpoints, readiness: Mapping[str, Readiness]) -> Serving:
    """Decide which priorities serve now; an address not in `readiness` is still connecting."""
    groups = usable_by_priority(endpoints)
    states = [
        {readiness.get(address, Readiness.CONNECTING) for address in addresses(each)} for each in groups
    ]
    if endpoints.overprovisioning is not None:
        shares = _shares(endpoints, groups, readiness)
        ready = [
            (share, group)
            for share, group, state in zip(shares, groups, states, strict=True)
            if share and Readiness.READY in state
        ]
        if ready:
            return Serving(tuple(ready))
    for group, state in zip(groups, states, strict=True):
        if Readiness.READY in state:
            return Serving(((100, group),))
        if Readiness.CONNECTING in state:
            return Serving(connecting=group)
    return Serving()


def addresses(group: Group) -> list[str]:
    """Return every address of a group."""
    return [endpoint.address for _, endpoints in group for endpoint in endpoints]


def _shares(endpoints: Endpoints, groups: Sequence[Group], readiness: Mapping[str, Readiness]) -> list[int]:
    """The percentage each priority gets; they sum to 100, or all are 0."""
    totals: dict[int, int] = {}
    for locality in endpoints.localities:
        totals[locality.priority] = totals.get(locality.priority, 0) + len(locality.endpoints)
    health = []
    for total, group in zip((totals[each] for each in sorted(totals)), groups, strict=True):
        up = sum(readiness.get(address) is not Readiness.FAILED for address in addresses(group))
        health.append(min(100, (endpoints.overprovisioning or 0) * up // total) if total else 0)
    if not any(health):
        return [0] * len(groups)
    # Where all together fall short of 100, they share the calls in proportion.
    normal = min(100, sum(health))
    shares, left = [], 100
    for each in health:
        share = min(left, each * 100 // normal)
        shares.append(share)
        left -= share
    shares[next(i for i, share in enumerate(shares) if share)] += left  # what rounding left over
    return shares
