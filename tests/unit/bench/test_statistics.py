"""Medians, their intervals, and what is made of pairs: answers that are known."""

from __future__ import annotations

import random
from statistics import median

import pytest

from bench.statistics import Estimate, difference, estimate, paired, ratio


def test_one_value_is_no_interval() -> None:
    assert estimate([3.0]) == Estimate(3.0, 3.0, 3.0, 1, 0.0)


def test_no_values_have_no_median() -> None:
    with pytest.raises(ValueError, match="no values"):
        estimate([])


@pytest.mark.parametrize(
    ("n", "low", "high", "covers"),
    [
        # Ranks and confidence of the sign interval, as tables of it have them.
        (5, 1, 5, 0.9375),
        (6, 1, 6, 0.96875),
        (8, 1, 8, 0.9921875),
        (9, 2, 8, 0.9609375),
        (20, 6, 15, 0.9586105),
        (40, 14, 27, 0.9615227),
        (100, 40, 61, 0.9647998),
    ],
)
def test_the_interval_is_of_the_known_ranks(n: int, low: int, high: int, covers: float) -> None:
    values = [float(i) for i in range(1, n + 1)]
    random.Random(n).shuffle(values)
    found = estimate(values)
    assert (found.value, found.low, found.high, found.n) == ((n + 1) / 2, low, high, n)
    assert found.covers == pytest.approx(covers, abs=1e-6)


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    rng = random.Random(7)
    held, times = 0, 4000
    for _ in range(times):
        found = estimate([rng.lognormvariate(0, 1) for _ in range(15)])  # skewed; its median is 1
        held += found.low <= 1.0 <= found.high
    # 15 values: 0.965; three standard deviations of the count are 0.009.
    assert held / times == pytest.approx(found.covers, abs=0.009)


def test_one_wild_value_moves_neither() -> None:
    values = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8]
    calm, wild = estimate(values), estimate([*values[:-1], 1e9])
    assert (calm.value, calm.low, calm.high) == (wild.value, wild.low, wild.high)


def test_pairs_see_a_small_difference_through_a_large_drift() -> None:
    rng = random.Random(3)
    base = [rng.uniform(100, 1000) for _ in range(40)]
    ours = [value + 5 + rng.uniform(-1, 1) for value in base]
    found = paired(ours, base, difference)
    assert found.low == pytest.approx(5, abs=1)
    assert found.high == pytest.approx(5, abs=1)
    assert abs(median(ours) - median(base)) < 200  # medians alone would say anything


def test_ratios_are_taken_in_pairs() -> None:
    assert paired([2, 40, 600], [1, 10, 200], ratio).value == 3


def test_pairs_are_pairs() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired([1, 2], [1], difference)
