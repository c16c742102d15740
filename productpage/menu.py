"""The menu of the lanes that exist, and what there is to say of the one a visitor is in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lanes.spec import lane_name_fault
from serving.lanes import HeldLane

COOKIE = "lane"
MOST_BUTTONS = 12
"""Of more lanes than these the menu is a field to type in, with names to choose from."""
_MOST_NAMES = 500


@dataclass(frozen=True, slots=True)
class Menu:
    """The lanes there are, the lane of this request, and a note where that needs one."""

    lanes: tuple[HeldLane, ...]
    lane: str | None
    held: HeldLane | None
    note: str
    clearable: bool
    """Whether the visitor's own choice is what the note is about."""

    @property
    def typed(self) -> bool:
        """Whether there are too many lanes for a button each."""
        return len(self.lanes) > MOST_BUTTONS

    @property
    def buttons(self) -> tuple[HeldLane, ...]:
        """The lanes with a button; of too many only the one the request is in."""
        return self.lanes if not self.typed else (self.held,) if self.held else ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the field suggests."""
        return tuple(lane.name for lane in self.lanes[:_MOST_NAMES])


def menu_of(lanes: Sequence[HeldLane], meshed: bool, lane: str | None, chosen: str) -> Menu:
    """The menu for a request that came in this lane, from a visitor whose cookie says `chosen`."""
    held = next((each for each in lanes if each.name == lane), None)
    note, clearable = "", False
    if chosen and (fault := lane_name_fault(chosen)):
        note, clearable = f"Your cookie asks for a lane {chosen[:80]!r}, which {fault}.", True
    elif lane is not None and held is None:
        note = f"Lane {lane} is not there, or not any more: base answers."
        clearable = lane == chosen
    elif lane is not None and lane != chosen:
        note = f"You did not choose lane {lane} here: the door, or what your request brought along, gave it."
    elif not meshed:
        note = "The services are asked directly, without a mesh, so there are no lanes."
    elif not lanes:
        note = "There are no lanes yet: lanes create dev --service reviews=v2 makes one."
    return Menu(tuple(lanes), lane, held, note, clearable)
