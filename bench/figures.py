"""What a row says: figures of ours and of its peers, and whether the reach is met."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from bench.statistics import Estimate

OURS, PLAIN, SECOND, GRPC, ENVOY = "ours", "plain", "second plain", "gRPC xDS", "Envoy"

Verdict = Literal["met", "missed", "open", ""]
"""`open`: the reach lies within the interval. Empty: there is no reach, or not at this size."""
Sign = Literal["≤", "≥", "within", "works"]
"""At most, at least, no further off than a second plain channel, or that there is an answer."""
_REACH = re.compile(r"(?P<sign>≤|≥|within|works)( (?P<bound>[^,]+))?(, ≤ (?P<quiet>.+))?")


@dataclass(frozen=True, slots=True)
class Reach:
    """What is to be reached."""

    bound: float = 0.0
    sign: Sign = "≤"
    quiet: float = inf
    """Of what is to be within the noise: how far its interval may reach, or too little can be seen."""

    def verdict(self, found: Estimate) -> Verdict:
        """Whether the whole interval lies on the right side, or the wrong one.

        What is to be within the noise is there where its interval reaches into it and ends soon enough.
        """
        low, high, bound = found.low, found.high, self.bound
        if self.sign == "works":
            return "met"
        if self.sign == "within":
            return "missed" if low > bound else "met" if high <= self.quiet else "open"
        if self.sign == "≥":
            low, high, bound = -high, -low, -bound
        return "met" if high <= bound else "missed" if low > bound else "open"

    def __str__(self) -> str:
        if self.sign == "works":
            return self.sign
        return f"{self.sign} {self.bound:g}" + (f", ≤ {self.quiet:g}" if self.quiet < inf else "")

    @classmethod
    def parse(cls, text: str) -> Reach | None:
        """What `str` has written; None for nothing."""
        found = _REACH.fullmatch(text)
        if found is None:
            return None
        sign: Any = found["sign"]
        return cls(float(found["bound"] or 0), sign, float(found["quiet"] or inf))


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
        """Of ours; what has no answer at all does not work."""
        if self.reach is None:
            return ""
        if OURS not in self.found:
            return "missed" if self.reach.sign == "works" else ""
        return self.reach.verdict(self.found[OURS])

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
