"""Drawing by weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def draw_weighted(items: Sequence[T], weights: Sequence[int], draw: Callable[[int], int]) -> T:
    """Draw one of `items`; a weight of 0 is never drawn. The weights' own sum counts, and is above 0."""
    if len(items) == 1:
        return items[0]
    point = draw(sum(weights))
    for item, weight in zip(items, weights, strict=True):
        if point < weight:
            return item
        point -= weight
    raise AssertionError("draw() returned a number beyond its bound")
