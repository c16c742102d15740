"""Medians and their intervals. Pure; nothing is assumed of how the values are distributed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import comb
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median and its interval of at least 95 %, or the whole range where there are too few values."""

    value: float
    low: float
    high: float
    n: int
    covers: float = 0.0
    """The probability that the interval holds the true median; below 0.95 with fewer than six values."""

    def to_json(self) -> dict[str, Any]:
        """As the JSON file has it."""
        return asdict(self)


def estimate(values: Sequence[float]) -> Estimate:
    """The median with the interval between two order statistics.

    The number of values below the true median is binomial with p = 1/2, whatever their distribution, so the
    values of ranks k and n + 1 - k enclose it with a probability that the binomial gives (David and Nagaraja,
    Order Statistics, 7.1). Raises ValueError where there are no values.
    """
    ordered, n = sorted(values), len(values)
    if not n:
        raise ValueError("no values")
    rank, outside = 0, comb(n, 0)
    while rank + 1 <= (n - 1) // 2 and 2 * (outside + comb(n, rank + 1)) <= 0.05 * 2**n:
        rank += 1
        outside += comb(n, rank)
    covers = 1 - 2 * outside / 2**n if n > 1 else 0.0
    return Estimate(median(ordered), ordered[rank], ordered[n - 1 - rank], n, covers)


def paired(
    ours: Sequence[float], base: Sequence[float], relation: Callable[[float, float], float]
) -> Estimate:
    """The median relation of what was measured in the same round. Raises ValueError for unequal lengths."""
    return estimate([relation(one, other) for one, other in zip(ours, base, strict=True)])


def difference(one: float, other: float) -> float:
    """By how much it is more."""
    return one - other


def ratio(one: float, other: float) -> float:
    """How many times it is."""
    return one / other
