"""Outlier detection: who is ejected, for how long, and who never is."""

from __future__ import annotations

from typing import Any

import pytest
from proxyless.balance import OutlierDetector
from proxyless.resources import OutlierDetection

OK, UNKNOWN, NOT_FOUND, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 2, 5, 12, 13, 14
OFF: dict[str, Any] = {"enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0}


def always(bound: int) -> int:
    return 0


def never(bound: int) -> int:
    return bound - 1


def detector(hosts: int = 10, draw: Any = always, **config: Any) -> OutlierDetector:
    made = OutlierDetector(OutlierDetection(**config), draw)
    made.keep(f"h{n}" for n in range(hosts))
    return made


def calls(made: OutlierDetector, host: str, good: int = 0, bad: int = 0, code: int = INTERNAL) -> None:
    for _ in range(good):
        made.ended(host, OK, 0)
    for _ in range(bad):
        made.ended(host, code, 0)


@pytest.mark.parametrize("code", [UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE])
def test_five_5xx_in_a_row_eject_at_once(code: int) -> None:
    made = detector()
    calls(made, "h1", bad=4, code=code)
    calls(made, "h1", good=1)
    calls(made, "h1", bad=4, code=code)
    assert not made.ejected
    assert made.ended("h1", code, 0)
    assert made.ejected == {"h1"}


def test_what_the_caller_did_wrong_is_no_5xx() -> None:
    made = detector()
    calls(made, "h1", bad=50, code=NOT_FOUND)
    assert not made.ejected


def test_gateway_failures_have_a_count_of_their_own() -> None:
    config = {"enforcing_consecutive_5xx": 0, "enforcing_consecutive_gateway_failure": 100}
    made = detector(**config, consecutive_gateway_failure=3)
    calls(made, "h1", bad=10, code=INTERNAL)
    assert not made.ejected
    calls(made, "h1", bad=3, code=UNAVAILABLE)
    assert made.ejected == {"h1"}


def test_an_enforcing_percentage_is_drawn() -> None:
    made = detector(draw=never, enforcing_consecutive_5xx=99)
    calls(made, "h1", bad=50)
    assert not made.ejected
    made = detector(draw=never, enforcing_consecutive_5xx=100)
    calls(made, "h1", bad=5)
    assert made.ejected


def test_one_may_always_go_and_more_as_far_as_the_percentage() -> None:
    made = detector(10, max_ejection_percent=30)
    for number in range(10):
        calls(made, f"h{number}", bad=5)
    assert made.ejected == {"h0", "h1", "h2"}
    made = detector(3, max_ejection_percent=10)
    for number in range(3):
        calls(made, f"h{number}", bad=5)
    assert made.ejected == {"h0"}


def test_success_rate_looks_at_the_deviation_from_the_others() -> None:
    made = detector(5, **{**OFF, "enforcing_success_rate": 100})
    for number in range(4):
        calls(made, f"h{number}", good=100)
    calls(made, "h4", good=60, bad=40)
    made.sweep(0)
    assert made.ejected == {"h4"}


@pytest.mark.parametrize(
    ("hosts", "volume"),
    [(4, 100), (5, 99)],
    ids=["too few hosts", "too few calls"],
)
def test_success_rate_needs_hosts_and_calls_enough(hosts: int, volume: int) -> None:
    made = detector(hosts, **{**OFF, "enforcing_success_rate": 100})
    for number in range(hosts - 1):
        calls(made, f"h{number}", good=volume)
    calls(made, f"h{hosts - 1}", bad=volume)
    made.sweep(0)
    assert not made.ejected


def test_failure_percentage_looks_at_each_alone() -> None:
    made = detector(5, **OFF, enforcing_failure_percentage=100, max_ejection_percent=100)
    for number, bad in enumerate((0, 50, 85, 86, 100)):
        calls(made, f"h{number}", good=100 - bad, bad=bad)
    made.sweep(0)
    assert made.ejected == {"h3", "h4"}  # above 85 %, not at it


def test_each_interval_counts_anew() -> None:
    made = detector(5, **OFF, enforcing_failure_percentage=100)
    for _ in range(3):
        for number in range(5):
            calls(made, f"h{number}", bad=30)
        made.sweep(0)
    assert not made.ejected  # 50 calls are needed within one


def test_away_longer_each_time_and_shorter_again_with_good_behaviour() -> None:
    made = detector(base_ejection_time=30, max_ejection_time=300)
    now = 1000.0

    def away() -> float:
        nonlocal now
        for _ in range(5):
            made.ended("h1", INTERNAL, now)
        since = now
        while made.ejected:
            now += 10
            made.sweep(now)
        return now - since

    assert [away() for _ in range(3)] == [30, 60, 90]
    for _ in range(2):
        now += 10
        made.sweep(now)
    assert away() == 60  # three times, less the two intervals without, and once more
    assert max(away() for _ in range(20)) == 300


def test_who_is_gone_is_forgotten() -> None:
    made = detector(2)
    calls(made, "h1", bad=5)
    made.keep(["h0"])
    assert not made.ejected
    assert not made.ended("h1", INTERNAL, 0)
    made.keep(["h0", "h1"])
    assert not made.ejected
