"""The lanes as the page shows them: members, who stands in, their share, and who is led there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from console.reading.hue import hue
from lanes.context import BASE
from lanes.doorfile import DoorError, DoorRule, parse_door
from lanes.own import lanes_in
from lanes.spec import Lane, Mode
from lanes.standing import standings
from lanes.store import Member, Seen


def lanes_view(seen: Seen, door: str, requests: Mapping[str, int]) -> dict[str, Any]:
    """Every lane there is; `requests` are those of the window by lane, `door` the text of its rules."""
    rules = door_rules(door)
    lanes = [
        _lane(lane, members_of(seen, lane), fallback_of(seen, lane), requests, rules)
        for lane in lanes_in(seen.landscape)
    ]
    return _view(seen.landscape.lane_key, lanes, requests)


def lanes_view_of(
    lanes: Iterable[Lane], key: str, members: Sequence[Member], requests: Mapping[str, int], door: str
) -> dict[str, Any]:
    """The same where all that is known are lanes in the rules of clients, and workloads.

    `door` is the service that is called from outside, where no lane routes.
    """
    services = sorted({member.service for member in members} - {door})
    found = []
    for lane in lanes:
        own = [m for m in members if lane.versions.get(m.service) == m.version]
        there = {member.service for member in own if member.ready}
        strict = lane.mode is Mode.STRICT
        fallback = [] if strict else [service for service in services if service not in there]
        found.append(_lane(lane, own, fallback, requests, ()))
    return _view(key, found, requests)


def members_of(seen: Seen, lane: Lane) -> list[Member]:
    """The workloads of a lane; a version that has none stands there as a member that is missing."""
    found: list[Member] = []
    for service, version in sorted(lane.versions.items()):
        missing = Member(service, version, f"{service}/{version}", "", False, "missing")
        found += seen.members_of(service, version) or [missing]
    return found


def fallback_of(seen: Seen, lane: Lane) -> list[str]:
    """The services at which base stands in for a lane; where lanes do not route, nobody does."""
    return [
        standing.service
        for standing in standings(seen, lane)
        if not standing.door and not standing.strict and not (standing.version is not None and standing.ready)
    ]


def door_rules(text: str) -> tuple[DoorRule, ...]:
    """The door's rules; none where they cannot be read, which the door itself reports."""
    try:
        return parse_door(text)
    except DoorError:
        return ()


def _view(key: str, lanes: list[dict[str, Any]], requests: Mapping[str, int]) -> dict[str, Any]:
    base = requests.get(BASE, 0)
    return {"key": key, "base": {"calls": base, "share": _share(base, requests)}, "lanes": lanes}


def _lane(
    lane: Lane,
    members: Iterable[Member],
    fallback: list[str],
    requests: Mapping[str, int],
    rules: Iterable[DoorRule],
) -> dict[str, Any]:
    number = requests.get(lane.name, 0)
    return {
        "name": lane.name,
        "hue": hue(lane.name),
        "mode": lane.mode.value,
        "expires": lane.expires,
        "versions": dict(lane.versions),
        "members": [
            {
                "service": member.service,
                "version": member.version,
                "name": member.name,
                "ready": member.ready,
                "state": member.state,
            }
            for member in members
        ],
        "fallback": fallback,
        "share": _share(number, requests),
        "requests": number,
        "door": [_whom(rule) for rule in rules if rule.lane == lane.name],
    }


def _share(number: int, requests: Mapping[str, int]) -> float:
    return round(number / (sum(requests.values()) or 1), 4)


def _whom(rule: DoorRule) -> str:
    """Whom a rule leads to its lane."""
    for kind, name in (("header", rule.header), ("cookie", rule.cookie)):
        if name is not None:
            return f"{kind} {name}{'' if rule.equals is None else f' = {rule.equals}'}"
    if rule.users:
        return f"user {', '.join(rule.users)}"
    return f"{rule.percent:g} % of visitors"
