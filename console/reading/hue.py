"""The colour of a lane as the page names it. Pure."""

from __future__ import annotations

from lanes.context import BASE
from lanes.hues import colour_of


def hue(lane: str) -> str | int:
    """`base`, or the number of the lane's colour."""
    return BASE if lane == BASE else colour_of(lane)
