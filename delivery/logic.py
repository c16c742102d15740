"""How long a book is under way. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_GRAMS_A_PAGE = 1.2
_COVER = 60
_HEAVY = 500
"""Grams above which standard delivery takes a day longer."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a book comes: which way, in how many working days, and what it weighs."""

    speed: str
    days: int
    grams: int

    def to_json(self) -> dict[str, Any]:
        """As the API gives it."""
        return asdict(self)


def delivery_of(pages: int, version: str) -> Delivery:
    """How this version delivers a book of so many pages: all but v1 by express, overnight at any weight."""
    grams = round(pages * _GRAMS_A_PAGE) + _COVER
    if version == "v1":
        return Delivery("standard", 4 if grams > _HEAVY else 3, grams)
    return Delivery("express", 1, grams)
