"""From endpoints and what their subchannels say to a picker (gRFCs A27, A56).

Priorities: the first with a ready endpoint serves; one that is still connecting is waited for; one whose
endpoints have all failed hands over to the next. Inside a priority: localities by weight, round robin
within a locality.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..resources import Endpoint, Endpoints, Locality
from .weighted import draw_weighted


class Readiness(enum.Enum):
    """What a subchannel says of its endpoint; IDLE and CONNECTING are both "not known yet"."""

    READY = "READY"
    CONNECTING = "CONNECTING"
    FAILED = "TRANSIENT_FAILURE"


class Status(enum.Enum):
    """What a picker can do for a call right now."""

    USABLE = "usable"
    WAITING = "waiting"
    UNUSABLE = "unusable"


@dataclass(slots=True)
class _Rotation:
    locality: Locality
    addresses: tuple[str, ...]
    turn: int

    def next(self, avoid: frozenset[str]) -> str:
        """Take the next address in turn, one outside `avoid` where there is one."""
        count = len(self.addresses)
        self.turn = (self.turn + 1) % count
        for turn in (*range(self.turn, count), *range(self.turn)) if avoid else ():
            if self.addresses[turn] not in avoid:
                self.turn = turn
                break
        return self.addresses[self.turn]


@dataclass(slots=True)
class Picker:
    """Picks among the ready endpoints of one cluster; built anew whenever one of them changes."""

    status: Status
    reason: str = ""
    _rotations: list[_Rotation] = field(default_factory=list)

    def pick(self, draw: Callable[[int], int], avoid: frozenset[str] = frozenset()) -> str:
        """Return the address for the next call; `avoid` names those a retry has tried already."""
        rotations = self._rotations
        if avoid:
            fresh = [each for each in rotations if any(a not in avoid for a in each.addresses)]
            rotations = fresh or rotations
        if len(rotations) == 1:
            return rotations[0].next(avoid)
        return draw_weighted(rotations, [each.locality.weight for each in rotations], draw).next(avoid)


def usable_by_priority(endpoints: Endpoints) -> list[list[tuple[Locality, tuple[Endpoint, ...]]]]:
    """Group the endpoints whose health allows calls: priority, then locality."""
    groups: dict[int, list[tuple[Locality, tuple[Endpoint, ...]]]] = {}
    for locality in endpoints.localities:
        group = groups.setdefault(locality.priority, [])
        healthy = tuple(each for each in locality.endpoints if each.health.usable)
        if healthy:
            group.append((locality, healthy))
    return [groups[priority] for priority in sorted(groups)]


def make_picker(
    endpoints: Endpoints,
    readiness: Mapping[str, Readiness],
    draw: Callable[[int], int],
) -> Picker:
    """Decide what a cluster's endpoints can do now; an address not in `readiness` counts as connecting."""
    priorities = [group for group in usable_by_priority(endpoints) if group]
    if not priorities:
        return Picker(Status.UNUSABLE, _nothing_usable(endpoints))
    for group in priorities:
        states = _readiness(group, readiness)
        if Readiness.READY in states:
            return Picker(Status.USABLE, "", _rotations(group, readiness, draw))
        if Readiness.CONNECTING in states:
            names = ", ".join(_addresses(group)[:3])
            return Picker(Status.WAITING, f"connecting to {names}")
    failed = [address for group in priorities for address in _addresses(group)]
    return Picker(Status.UNUSABLE, f"none of its {len(failed)} endpoints can be reached ({failed[0]})")


def _rotations(
    group: Iterable[tuple[Locality, tuple[Endpoint, ...]]],
    readiness: Mapping[str, Readiness],
    draw: Callable[[int], int],
) -> list[_Rotation]:
    rotations = []
    for locality, endpoints in group:
        ready = tuple(e.address for e in endpoints if readiness.get(e.address) is Readiness.READY)
        if ready:
            # A random start, so that many clients do not all begin with the same endpoint.
            rotations.append(_Rotation(locality, ready, draw(len(ready))))
    return rotations


def _readiness(
    group: Iterable[tuple[Locality, tuple[Endpoint, ...]]], readiness: Mapping[str, Readiness]
) -> set[Readiness]:
    return {readiness.get(address, Readiness.CONNECTING) for address in _addresses(group)}


def _addresses(group: Iterable[tuple[Locality, tuple[Endpoint, ...]]]) -> list[str]:
    return [endpoint.address for _, endpoints in group for endpoint in endpoints]


def _nothing_usable(endpoints: Endpoints) -> str:
    known = [endpoint for locality in endpoints.localities for endpoint in locality.endpoints]
    if not known:
        return "it has no endpoints"
    first = known[0]
    return f"none of its {len(known)} endpoints is healthy ({first.address} is {first.health.value})"
