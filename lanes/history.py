"""Revisions: what the lanes and the door's rules were after each change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lanes.landscape import LaneError
from lanes.spec import Lane, Mode, SpecError


@dataclass(frozen=True, slots=True)
class Revision:
    """The state after a change; revision 0 is what was there before the first."""

    number: int
    time: str
    who: str
    change: str
    lanes: tuple[Lane, ...]
    door: str = ""
    workloads: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The `command` and its `directory` by `SERVICE/VERSION`, of what was started for a lane."""
    key: str = ""
    """The member of `baggage` that names these lanes; empty where it was not written down."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON and for the file."""
        return {
            "number": self.number,
            "time": self.time,
            "who": self.who,
            "change": self.change,
            "lanes": [lane_dict(lane) for lane in self.lanes],
            "door": self.door,
            "workloads": {name: dict(each) for name, each in self.workloads.items()},
            "key": self.key,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Revision:
        """The reverse of `to_dict`; LaneError for what is no revision."""
        try:
            lanes = tuple(lane_from(lane) for lane in data["lanes"])
            plain = {name: data[name] for name in ("number", "time", "who", "change", "door", "workloads")}
            return cls(lanes=lanes, key=str(data.get("key", "")), **plain)
        except (KeyError, TypeError, ValueError, SpecError) as error:
            raise LaneError(f"A revision of the lanes' history cannot be read: {error}.") from None


def lane_dict(lane: Lane) -> dict[str, Any]:
    """A lane as plain data; `expires` only where it does."""
    expires = {"expires": lane.expires} if lane.expires else {}
    services = dict(sorted(lane.versions.items()))
    return {"name": lane.name, "mode": str(lane.mode), "services": services, **expires}


def lane_from(data: Mapping[str, Any]) -> Lane:
    """The reverse of `lane_dict`."""
    return Lane(str(data["name"]), dict(data["services"]), Mode(data["mode"]), str(data.get("expires", "")))


def lost_since(revisions: Sequence[Revision], there: Iterable[Lane], key: str) -> dict[str, int]:
    """The lanes that are not there any more and the last revision of their key: rules have been replaced."""
    names = {lane.name for lane in there}
    last = next((each for each in reversed(revisions) if each.key in ("", key)), None)
    return {lane.name: last.number for lane in last.lanes if lane.name not in names} if last else {}


def revision_of(revisions: Iterable[Revision], number: int) -> Revision:
    """The revision of this number; LaneError lists the numbers there are."""
    there = list(revisions)
    for revision in there:
        if revision.number == number:
            return revision
    if not there:
        raise LaneError("There is no history yet: nothing has been changed.")
    raise LaneError(f"There is no revision {number}; there are {there[0].number} to {there[-1].number}.")
