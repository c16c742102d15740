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
    is_noise: bool = False
    """Whether the bound is what a plain channel differs by from another."""

    def verdict(self, found: Estimate) -> Verdict:
        """Whether the whole interval lies on the right side, or the wrong one.

        What is to be within the noise is there as soon as its interval reaches into it.
        """
        low, high, bound = found.low, found.high, self.bound
        if self.is_noise:
            return "met" if low <= bound else "missed"
        if self.is_floor:
            low, high, bound = -high, -low, -bound
        return "met" if high <= bound else "missed" if low > bound else "open"

    def __str__(self) -> str:
        return f"{'≥' if self.is_floor else 'within' if self.is_noise else '≤'} {self.bound:g}"

    @classmethod
    def parse(cls, text: str) -> Reach | None:
        """What `str` has written; None for nothing."""
        sign, _, bound = text.partition(" ")
        return cls(float(bound), is_floor=sign == "≥", is_noise=sign == "within") if text else None


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
        return self.reach.verdict(self.found[OURS]) if self.reach is not None and OURS in self.found else ""

    def to_json(self, *, judged: bool) -> dict[str, Any]:
        """As the JSON file has it; at a smaller size than the issue's nothing is judged."""
        return {
            "what": self.what,
            "unit": self.unit,
            "reach": "" if self.reach is None else str(self.reach),
            "verdict": self.verdict if judged else "",
            "found": {peer: each.to_json() for peer, each in self.found.items()},
            "remark": self.remark,
            # Six digits are more than any clock here is worth.
            "rounds": {name: [float(f"{v:.6g}") for v in values] for name, values in self.rounds.items()},
        }
