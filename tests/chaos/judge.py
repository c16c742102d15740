"""Whether each call went as it had to: a pure function of the book."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .book import CHAIN, Attempt, Call, Loss, Timeline, Truth, in_force, was_right

Wrong: TypeAlias = Literal["wrong lane", "lost", "torn", "never ended", "not noted"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A call that did not go as it had to."""

    wrong: Wrong
    call: Call
    why: str

    def __str__(self) -> str:
        call = self.call
        seen = [" > ".join(f"{h.instance}({h.version}, {h.lane})" for h in chain) for chain in call.answers]
        return (
            f"{self.wrong}: call {call.number}, {call.kind} in lane {call.lane} at {call.started:.3f} s, "
            f"{call.ended - call.started:.3f} s long: {self.why}; answers: {seen}"
        )


@dataclass(slots=True)
class Verdict:
    """What the judge found."""

    calls: int = 0
    excused: int = 0
    """Failed when an instance, or the way to it, was lost after it had answered: no retry may follow."""
    attempts: int = 0
    """How many reached an instance."""
    fruitless: int = 0
    """Those of them that no answer came of: they failed, or another one followed."""
    made: Counter[str] = field(default_factory=Counter)
    """How the calls were made."""
    findings: list[Finding] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        """How many findings of each kind."""
        return Counter(finding.wrong for finding in self.findings)


def judge(calls: Iterable[Call], timeline: Timeline, attempts: Iterable[Attempt] | None = None) -> Verdict:
    """Look at every call; the first thing wrong with one is what it is found to be.

    `attempts` are all that reached an instance; None where that was not noted. Raises ValueError for those
    of a call that nobody made.
    """
    verdict, truths = Verdict(), _Truths(timeline.truths)
    noted: defaultdict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts or ():
        noted[attempt.number].append(attempt)
    for call in calls:
        mine = None if attempts is None else noted.pop(call.number, [])
        verdict.calls += 1
        if call.made is not None:
            verdict.made[call.made] += 1
        if mine is not None:
            verdict.attempts += len(mine)
            verdict.fruitless += len(mine) - len({hop for chain in call.answers for hop in chain})
        around = truths.around(call, max([call.ended, *(each.arrived for each in mine or ())]))
        finding = _look(call, around, timeline.losses, mine)
        if isinstance(finding, Finding):
            verdict.findings.append(finding)
        elif finding == "excused":
            verdict.excused += 1
    if noted:
        raise ValueError(f"attempts of calls that nobody made: {sorted(noted)}")
    return verdict


def _look(
    call: Call, truths: Sequence[Truth], losses: Sequence[Loss], attempts: Sequence[Attempt] | None
) -> Finding | Literal["excused"] | None:
    right = in_force(truths, call)
    for chain in call.answers:
        if tuple(hop.service for hop in chain) != CHAIN:
            return Finding("torn", call, "an answer that did not come through the whole chain")
        for hop in chain:
            if hop.lane != call.lane:
                return Finding("wrong lane", call, f"{hop.instance} saw the lane {hop.lane}")
            if (hop.service, call.lane, hop.version) not in right:
                allowed = sorted(v for s, lane, v in right if (s, lane) == (hop.service, call.lane))
                return Finding("wrong lane", call, f"{hop.service} {hop.version}, right was {allowed}")
    if attempts is not None and (finding := _astray(call, truths, attempts)) is not None:
        return finding
    if len(set(call.answers)) > 1:
        return Finding("torn", call, "the answers of one stream came from several instances")
    if call.ended == float("inf"):
        return Finding("never ended", call, "nothing was heard of its end")
    if call.code == "OK":
        if len(call.answers) != call.expected:
            return Finding("torn", call, f"{len(call.answers)} answers instead of {call.expected}")
        return None
    if call.answers and any(_hit(call, loss) for loss in losses):
        return "excused"
    return Finding("lost", call, f"{call.code}: {call.details}")


def _astray(call: Call, truths: Sequence[Truth], attempts: Sequence[Attempt]) -> Finding | None:
    """What is wrong with the attempts that were noted, among them those that no answer tells of."""
    for attempt in attempts:
        hop = attempt.hop
        if hop.lane != call.lane:
            return Finding("wrong lane", call, f"an attempt reached {hop.instance} in the lane {hop.lane}")
        if not was_right(truths, call, attempt):
            return Finding(
                "wrong lane", call, f"an attempt reached {hop.instance} at {attempt.arrived:.3f} s"
            )
    unknown = {hop for chain in call.answers for hop in chain} - {each.hop for each in attempts}
    if unknown:
        return Finding("not noted", call, f"answered by {sorted(hop.instance for hop in unknown)}")
    return None


def _hit(call: Call, loss: Loss) -> bool:
    """Whether the loss came to an instance that serves the call while it did."""
    serving = {hop.instance for hop in call.answers[0]}
    return loss.instance in serving and loss.began <= call.ended and loss.ended >= call.started


class _Truths:
    """Finds the few truths that matter to a call: there may be thousands of either."""

    def __init__(self, truths: Sequence[Truth]) -> None:
        self._truths = truths
        self._began = [truth.began for truth in truths]
        self._oldest: list[float] = []
        latest = 0.0
        for truth in truths:  # the latest end so far: it grows, so that it can be searched
            latest = max(latest, truth.ended)
            self._oldest.append(latest)

    def around(self, call: Call, until: float) -> Sequence[Truth]:
        """All that were there from its start to a moment, and a few that were not."""
        first = bisect_right(self._oldest, call.started - 1e-9)
        return self._truths[first : bisect_right(self._began, until)]
