"""What chaos came to, as JSON and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Self

from .faults import Outcome
from .judge import Verdict


@dataclass
class Report:
    """Everything that is told of one run."""

    seed: int
    seconds: float
    calls: int
    attempts: int
    """How many reached an instance."""
    fruitless: int
    """Those of them that no answer came of."""
    excused: int
    made: dict[str, int]
    """How calls were made, and how many so."""
    wrong: dict[str, int]
    findings: list[str]
    outcomes: list[Outcome]
    broken: str = ""
    """What ended it before its time."""

    @classmethod
    def of(cls, seed: int, seconds: float, verdict: Verdict, outcomes: list[Outcome], broken: str) -> Self:
        """The report of a run."""
        made, counts = dict(verdict.made), dict(verdict.counts())
        told = [str(each) for each in verdict.findings[:50]]
        return cls(
            seed=seed,
            seconds=seconds,
            calls=verdict.calls,
            attempts=verdict.attempts,
            fruitless=verdict.fruitless,
            excused=verdict.excused,
            made=made,
            wrong=counts,
            findings=told,
            outcomes=outcomes,
            broken=broken,
        )

    @property
    def ok(self) -> bool:
        """Whether no call went as it must not, and every fault came as often as it must."""
        return not self.wrong and not self.broken and all(each.enough for each in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        outcomes = [asdict(each) for each in self.outcomes]
        for each in outcomes:
            each["recoveries"] = [round(seconds, 4) for seconds in each["recoveries"]]
        return asdict(self) | {"outcomes": outcomes, "ok": self.ok}

    def lines(self) -> list[str]:
        """The table, and what is wrong."""
        lines = [f"{'fault':<16}{'rounds':>12}{'recovery, median':>20}{'worst':>10}"]
        for each in self.outcomes:
            rounds = f"{each.done} of {each.wanted}"
            middle, worst = recovery(each)
            lines.append(f"{each.name:<16}{rounds:>12}{middle:>20}{worst:>10}")
            lines += [f"    {name}: {count}" for name, count in each.notes.items()]
            lines += [] if each.enough else [f"    {each.least} are the least"]
        lines.append(
            f"{self.calls} calls in {self.seconds:.0f} s; {self.excused} cut off by the loss of an instance "
            f"that had begun to answer; {sum(self.wrong.values())} went wrong {self.wrong or ''}".rstrip()
        )
        lines.append(f"{self.attempts} attempts reached an instance, {self.fruitless} without an answer")
        lines.append("made " + ", ".join(f"{how}: {count}" for how, count in sorted(self.made.items())))
        lines += self.findings
        if self.broken:
            lines.append(f"ended before its time: {self.broken}")
        return [*lines, f"seed {self.seed}"]


def recovery(outcome: Outcome) -> tuple[str, str]:
    """The median and the worst time to recover."""
    found = outcome.recoveries
    return (_seconds(median(found)), _seconds(max(found))) if found else ("-", "-")


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
