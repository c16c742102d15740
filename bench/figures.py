"""What a row says: figures of ours and of its peers, and whether the reach is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.statistics import Estimate

OURS, PLAIN, SECOND, GRPC, ENVOY = "ours", "plain", "second plain", "gRPC xDS", "Envoy"

Verdict = Literal["met", "missed", "open", ""]
"""`open`: the reach lies within the interval. Empty: there is no reach, or not at this size."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What is to be reached."""

    bound: float
    is_floor: bool = False
    """Whether the figure must be at least this."""

    def verdict(self, found: Estimate) -> Verdict:
        """Whether the whole interval lies on the right side, or the wrong one."""
        low, high, bound = found.low, found.high, self.bound
        if self.is_floor:
            low, high, bound = -high, -low, -bound
        return "met" if high <= bound else "missed" if low > bound else "open"

    def __str__(self) -> str:
        return f"{'≥' if self.is_floor else '≤'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity, of ours and of the peers."""

    what: str
    unit: str
    """Empty for a ratio."""
    found: Mapping[str, Estimate]
    reach: Reach | None = None
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Every value the estimates are made from, by name."""
    remark: str = ""

    @property
    def verdict(self) -> Verdict:
        """Of ours."""
        return self.reach.verdict(self.found[OURS]) if self.reach and OURS in self.found else ""

    def to_json(self, *, judged: bool) -> dict[str, Any]:
        """As the JSON file has it; at a smaller size than the issue's nothing is judged."""
        return {
            "what": self.what,
            "unit": self.unit,
            "reach": str(self.reach) if self.reach else "",
            "verdict": self.verdict if judged else "",
            "found": {peer: each.to_json() for peer, each in self.found.items()},
            "remark": self.remark,
            "rounds": {name: list(values) for name, values in self.rounds.items()},
        }
