"""How often a fault comes, and under which rules."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from .book import CHAIN
from .faults import FAULTS, Outcome, Rounds
from .world import LANES, Spec


@pytest.mark.parametrize(
    ("least", "time", "done"), [(1, 5, 5), (4, 2, 4), (4, 100, 20), (20, 2, 20)], ids=str
)
def test_rounds_are_left_out_for_lack_of_time_but_not_below_the_least(
    least: int, time: int, done: int
) -> None:
    outcome, clock = Outcome("kills", 20, least), 0

    def now() -> float:
        return clock

    for _ in Rounds(outcome, time, now):
        clock += 1
    assert outcome.done == done
    assert outcome.enough


def test_no_fault_comes_less_often_than_is_enough() -> None:
    assert all(1 <= plan.least <= plan.rounds for plan in FAULTS.values())


def test_attempts_have_a_limit_only_where_that_is_asked_for_and_flips_keep_it() -> None:
    assert "perTryTimeout" not in Spec.first().rules()
    limited = replace(Spec.first(), limited=True).flipped(Random(1)).rules()
    assert limited.count("retryOn") == limited.count("perTryTimeout") > 0


def test_every_version_is_called_by_each() -> None:
    spec = Spec.every_pair()
    pairs = {tuple(spec.version(service, lane) for service in CHAIN) for lane in ("base", *LANES)}
    assert pairs == {("v1", "v1"), ("v1", "v2"), ("v2", "v1"), ("v2", "v2")}
