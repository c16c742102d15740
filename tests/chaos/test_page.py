"""The page says what the reports say."""

from __future__ import annotations

import pytest

from .faults import FAULTS, Outcome
from .judge import Verdict
from .page import page
from .report import Report


def test_every_fault_has_its_figures_and_its_command() -> None:
    outcomes = [Outcome(name, 20, 19, 19, [0.25, 0.5, 12.0], {}) for name in FAULTS]
    report = Report.of(7, 300.0, Verdict(calls=1234, excused=5), outcomes, "")
    assert report.ok
    text = page(report.to_json(), None)
    for name in FAULTS:
        command = f"`python -m tests.chaos --only {name}`"
        assert f"| {name} | 19 of 20 | 500 ms | 12.0 s | {command} |" in text
        assert f"- **{name}**: " in text
    assert "`make chaos SEED=7`" in text
    assert "1234 calls" in text


def test_a_soak_that_grew_is_named() -> None:
    report = Report.of(7, 300.0, Verdict(), [], "")
    row = ["back", 2**20, 2**21, 1.0, 5, 6, 7, 7]
    soak = {"seed": 3, "seconds": 600.0, "calls": 9, "rows": [row], "wrong": ["back: memory"]}
    text = page(report.to_json(), soak)
    assert "| back | 1.0 MiB | 2.0 MiB | +100.0% | 5 → 6 | 7 → 7 |" in text
    assert "- back: memory" in text


@pytest.mark.parametrize(("least", "ok"), [(20, False), (19, True)], ids=["in full", "short version"])
def test_a_run_with_too_few_rounds_is_not_ok(least: int, ok: bool) -> None:
    report = Report.of(7, 300.0, Verdict(), [Outcome("kills", 20, least, 19)], "")
    assert report.ok is ok
    assert ("    20 are the least" in report.lines()) is not ok


def test_a_run_that_broke_off_is_not_ok() -> None:
    report = Report.of(7, 300.0, Verdict(), [], "kills: AssertionError")
    assert not report.ok
    assert "ended before its time: kills: AssertionError" in report.lines()
