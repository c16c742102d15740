"""Verdicts, what a run writes and reads back, and the page that is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.figures import GRPC, OURS, Figure, Reach
from bench.outcome import FILE, Measured, Outcome
from bench.report import ReportError, short, write
from bench.rows.every import ROWS
from bench.rows.size import first_answer
from bench.statistics import Estimate
from bench.table import cell, number

ABOUT = {"quick": False, "commit": "abc", "seed": 1}


@pytest.mark.parametrize(
    ("low", "high", "at_most", "at_least"),
    [(1, 2, "met", "missed"), (4, 5, "missed", "met"), (2, 4, "open", "open"), (3, 3, "met", "met")],
)
def test_a_verdict_is_of_the_whole_interval(low: float, high: float, at_most: str, at_least: str) -> None:
    found = Estimate((low + high) / 2, low, high, 9)
    assert Reach(3).verdict(found) == at_most
    assert Reach(3, "≥").verdict(found) == at_least


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-1, 5, "met"), (3, 5, "met"), (3.1, 5, "missed"), (-9, 5.1, "open"), (3.1, 9, "missed")],
)
def test_what_reaches_into_the_noise_is_within_it_where_the_run_is_quiet(
    low: float, high: float, verdict: str
) -> None:
    assert Reach(3, "within", 5).verdict(Estimate(4, low, high, 9)) == verdict


def test_what_has_no_answer_does_not_work(tmp_path: Path) -> None:
    answered = {"seconds": 1.5, "failed": "", "streams": 1}
    failed = {"seconds": 60.0, "failed": "DEADLINE_EXCEEDED: late", "streams": 20}
    works = first_answer("80,000 routes", {OURS: [answered, answered], GRPC: [failed]})
    assert (works.verdict, works.found.keys()) == ("met", {OURS})
    assert works.remark == "gRPC xDS: fails after 60.0 s, 20 streams; DEADLINE_EXCEEDED: late"
    fails = first_answer("80,000 routes", {OURS: [answered, failed], GRPC: [answered]})
    assert (fails.verdict, fails.found.keys()) == ("missed", {GRPC})
    assert fails.rounds[OURS] == [1.5, 60.0]
    row = Measured("80k-routes", "what", 1, (fails,))
    Outcome(ABOUT, (row,)).write(tmp_path / FILE)
    [read] = Outcome.read(tmp_path / FILE).rows
    assert read.figures[0].verdict == "missed"
    assert "- missed: 80,000 routes (s): no answer; reach: works" in short([read])


def test_without_a_reach_there_is_no_verdict() -> None:
    assert Figure("size", "s", {OURS: Estimate(1, 1, 1, 1)}).verdict == ""
    assert Figure("size", "s", {GRPC: Estimate(1, 1, 1, 1)}, Reach(3)).verdict == ""


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    figures = (
        Figure("cost", "µs", {OURS: Estimate(1.5, 1, 2, 9, 0.96)}, Reach(15), {OURS: [1.0, 2.0]}, "plain: 3"),
        Figure("rate", "", {OURS: Estimate(0.9, 0.8, 1, 9, 0.96)}, Reach(0.95, "≥")),
        Figure("messages", "µs", {OURS: Estimate(1, 1, 1, 9)}, Reach(2.5, "within", 3.25)),
        Figure("routes", "s", {OURS: Estimate(1, 1, 1, 9)}, Reach(sign="works")),
        Figure("size", "s", {GRPC: Estimate(1, 1, 1, 1)}),
    )
    outcome = Outcome(
        ABOUT, (Measured("calls", "what", 1.5, figures), Measured("other", "that", 0.1, (), "died"))
    )
    outcome.write(tmp_path / FILE)
    assert Outcome.read(tmp_path / FILE) == outcome


def test_a_quick_run_judges_nothing(tmp_path: Path) -> None:
    figure = Figure("cost", "µs", {OURS: Estimate(1, 1, 1, 9)}, Reach(15))
    assert figure.to_json(judged=True)["verdict"] == "met"
    assert figure.to_json(judged=False)["verdict"] == ""


@pytest.mark.parametrize(
    ("about", "said"),
    [({"quick": True}, "A quick run is not for quoting."), (ABOUT, "The run left out unary")],
)
def test_the_page_is_of_whole_runs_only(tmp_path: Path, about: dict[str, object], said: str) -> None:
    with pytest.raises(ReportError, match=said):
        write(Outcome(about, []), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_names_of_rows_differ() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (-3.456, "−3.46"), (12.34, "12.3"), (1234.5, "1,234"), (0.0, "0.00")]
)
def test_numbers_have_the_digits_that_mean_anything(value: float, text: str) -> None:
    assert number(value) == text


def test_a_single_value_has_no_interval() -> None:
    assert cell(Estimate(2, 2, 2, 1)) == "2.00"
    assert cell(Estimate(2, 1, 3, 6)) == "2.00\n1.00 … 3.00"
