"""Drops: the share of calls the control plane wants refused, by category (Envoy's drop_overloads)."""

from __future__ import annotations

from collections.abc import Iterable

from ..resources import Drop
from .ask import Draw


def draw_drop(drops: Iterable[Drop], draw: Draw) -> str | None:
    """Return the category a call is dropped for; None where it goes on. Each is drawn on its own."""
    for drop in drops:
        if draw(drop.fraction.denominator) < drop.fraction.numerator:
            return drop.category
    return None
