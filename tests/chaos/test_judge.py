"""A judge who never cries is no judge: everything that can go wrong with a call is shown to it."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from .book import Attempt, Call, Hop, Kind, Timeline
from .judge import Verdict, judge

FRONT, BACK = Hop("front", "v1", "front-1", "dev"), Hop("back", "v2", "back-1", "dev")
V2 = {("front", "dev"): frozenset({"v1"}), ("back", "dev"): frozenset({"v2"})}
V3 = {**V2, ("back", "dev"): frozenset({"v3"})}


def called(kind: Kind = "unary_unary", **but: Any) -> Call:
    """A call from 10 to 11, answered as it should be."""
    call = Call(1, "dev", kind, 10.0, 10.5, 11.0)
    call.answers = [(FRONT, BACK)] * call.expected
    return replace(call, **but)


def found(call: Call, timeline: Timeline | None = None, attempts: list[Attempt] | None = None) -> Verdict:
    return judge([call], timeline or Timeline(0.0, V2), attempts)


NOTED = [Attempt(1, FRONT, 10.1), Attempt(1, BACK, 10.2)]
"""What the instances note of a call that went well."""


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
def test_a_call_that_went_well(kind: Kind) -> None:
    verdict = found(called(kind))
    assert (verdict.calls, verdict.excused, verdict.findings) == (1, 0, [])
    assert found(called(kind, made="deferred")).made == {"deferred": 1}


@pytest.mark.parametrize(
    "hop",
    [replace(BACK, version="v1"), replace(BACK, lane="base"), replace(BACK, lane="dev2")],
    ids=["version", "no lane", "another lane"],
)
def test_a_wrong_lane_at_any_hop(hop: Hop) -> None:
    (finding,) = found(called(answers=[(FRONT, hop)])).findings
    assert finding.wrong == "wrong lane"
    (finding,) = found(
        called("unary_stream", answers=[(FRONT, BACK), (FRONT, hop)], code="UNAVAILABLE")
    ).findings
    assert finding.wrong == "wrong lane"  # in whatever else it failed


def test_a_call_that_is_lost() -> None:
    (finding,) = found(called(answers=[], answered=None, code="UNAVAILABLE", details="gone")).findings
    assert finding.wrong == "lost"
    assert "UNAVAILABLE: gone" in str(finding)


def test_a_call_whose_instance_dies_is_lost_as_long_as_it_could_be_made_again() -> None:
    timeline = Timeline(0.0, V2)
    timeline.lost("back-1", 10.2, "killed")
    (finding,) = found(called(answers=[], answered=None, code="UNAVAILABLE"), timeline).findings
    assert finding.wrong == "lost"


def test_a_stream_whose_instance_dies_after_an_answer_is_excused() -> None:
    timeline = Timeline(0.0, V2)
    timeline.lost("back-1", 10.2, "killed")
    verdict = found(called("unary_stream", answers=[(FRONT, BACK)], code="UNAVAILABLE"), timeline)
    assert (verdict.excused, verdict.findings) == (1, [])


@pytest.mark.parametrize(
    ("instance", "began", "ended"),
    [("back-2", 10.2, inf), ("back-1", 11.1, inf), ("back-1", 2.0, 9.9)],
    ids=["another instance", "later", "before"],
)
def test_another_loss_is_no_excuse(instance: str, began: float, ended: float) -> None:
    timeline = Timeline(0.0, V2)
    timeline.lost(instance, began, "killed").ended = ended
    (finding,) = found(called("unary_stream", answers=[(FRONT, BACK)], code="UNAVAILABLE"), timeline).findings
    assert finding.wrong == "lost"


@pytest.mark.parametrize(
    "answers",
    [[(FRONT, BACK)] * 2, [(FRONT, BACK)] * 4, [(FRONT, BACK)] * 2 + [(FRONT, replace(BACK, instance="b"))],
     [(FRONT,)] * 3, [(BACK, FRONT)] * 3],
    ids=["too few", "too many", "two instances", "half a chain", "another chain"],
)  # fmt: skip
def test_a_stream_that_is_torn(answers: list[tuple[Hop, ...]]) -> None:
    (finding,) = found(called("stream_stream", answers=answers)).findings
    assert finding.wrong == "torn"


def test_a_call_that_never_ends() -> None:
    (finding,) = found(called(ended=inf)).findings
    assert finding.wrong == "never ended"


@pytest.mark.parametrize(
    ("changed", "settled", "v2", "v3"),
    [
        (12.0, 13.0, True, False),  # not yet
        (10.2, 12.0, True, True),  # while it is called
        (9.0, 12.0, True, True),  # before, but not everybody has heard of it
        (9.0, 10.2, True, True),  # everybody heard of it while it was called
        (8.0, 9.0, False, True),  # long ago
        (10.7, 12.0, True, False),  # after its answer
    ],
)
def test_a_change_counts_from_when_it_is_made_and_alone_once_it_is_settled(
    changed: float, settled: float, v2: bool, v3: bool
) -> None:
    timeline = Timeline(0.0, V2)
    timeline.change(changed, V3)
    timeline.settled(settled)
    third = [(FRONT, replace(BACK, version="v3"))]
    assert (not found(called(), timeline).findings) is v2
    assert (not found(called(answers=third), timeline).findings) is v3


def test_among_thousands_of_changes_the_right_ones_are_found() -> None:
    timeline = Timeline(0.0, V2)
    for moment in range(1, 2000):
        timeline.change(moment, V3 if moment % 2 else V2)
        timeline.settled(moment + 0.4)
    for start, version in ((100.5, "v2"), (101.5, "v3"), (1500.5, "v2")):
        others = [(FRONT, replace(BACK, version={"v2": "v3", "v3": "v2"}[version]))]
        moments = {"started": start, "answered": start + 0.1, "ended": start + 0.2}
        assert not found(
            called(answers=[(FRONT, replace(BACK, version=version))], **moments), timeline
        ).findings
        assert found(called(answers=others, **moments), timeline).counts() == {"wrong lane": 1}
    across = called(
        answers=[(FRONT, replace(BACK, version="v3"))], started=100.5, answered=101.1, ended=101.2
    )
    assert not found(across, timeline).findings


def test_what_instances_noted_is_counted() -> None:
    first = Attempt(1, replace(BACK, instance="back-2"), 10.15)
    verdict = found(called(), attempts=[*NOTED, first])
    assert (verdict.attempts, verdict.fruitless, verdict.findings) == (3, 1, [])


@pytest.mark.parametrize(
    "hop",
    [replace(BACK, version="v1"), replace(BACK, lane="base"), replace(FRONT, version="v2")],
    ids=["version", "lane", "at the first hop"],
)
@pytest.mark.parametrize("failed", [False, True], ids=["made anew", "failed"])
def test_an_attempt_in_a_wrong_lane_that_no_answer_tells_of(hop: Hop, failed: bool) -> None:
    timeline = Timeline(0.0, V2)
    timeline.lost("back-1", 10.2, "killed")
    call = called("unary_stream", code="UNAVAILABLE") if failed else called()
    assert not found(call, timeline).findings  # nothing is to be seen of it at the end
    (finding,) = found(call, timeline, [*NOTED, Attempt(1, hop, 10.3)]).findings
    assert finding.wrong == "wrong lane"


@pytest.mark.parametrize(
    ("changed", "settled", "arrived", "v2", "v3"),
    [
        (10.7, 12.0, 10.3, True, False),  # the change was made after it had come
        (10.2, 12.0, 10.3, True, True),  # just before
        (9.0, 10.2, 10.3, True, True),  # everybody heard of it before it came, but the call is older
        (9.0, 9.9, 10.3, False, True),  # and here it is not
        (10.7, 12.0, 13.0, True, True),  # it came when the call was over
    ],
)
def test_an_attempt_follows_what_was_right_from_the_start_of_its_call_until_it_came(
    changed: float, settled: float, arrived: float, v2: bool, v3: bool
) -> None:
    timeline = Timeline(0.0, V2)
    timeline.change(changed, V3)
    timeline.settled(settled)
    failed = called(answers=[], answered=None, ended=12.5, code="UNAVAILABLE")
    for version, right in (("v2", v2), ("v3", v3)):
        late = Attempt(1, replace(BACK, version=version), arrived)
        (finding,) = found(failed, timeline, [NOTED[0], late]).findings
        assert finding.wrong == ("lost" if right else "wrong lane")


def test_where_base_may_serve_an_attempt_may_reach_it() -> None:
    timeline = Timeline(0.0, V2)
    timeline.change(10.0, {**V2, ("back", "dev"): frozenset({"v2", "v1"})})
    assert not found(called(), timeline, [*NOTED, Attempt(1, replace(BACK, version="v1"), 10.3)]).findings


def test_an_answer_of_somebody_who_noted_nothing() -> None:
    (finding,) = found(called(), attempts=NOTED[:1]).findings
    assert (finding.wrong, finding.why) == ("not noted", "answered by ['back-1']")


def test_an_attempt_of_a_call_that_nobody_made() -> None:
    with pytest.raises(ValueError, match=r"nobody made: \[2\]"):
        found(called(), attempts=[*NOTED, Attempt(2, BACK, 10.2)])
