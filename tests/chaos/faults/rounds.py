"""How often a fault comes, how often it came, and how long its trouble lasted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ..load import Load
from ..world import World


@dataclass
class Outcome:
    """What came of one fault."""

    name: str
    wanted: int
    least: int
    """With how many rounds it is enough."""
    done: int = 0
    recoveries: list[float] = field(default_factory=list)
    """Seconds, each."""
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether it came as often as it must."""
        return self.done >= self.least


class Rounds:
    """So many rounds of a fault, or as many as there is time for; but not fewer than are enough."""

    def __init__(self, outcome: Outcome, until: float, now: Callable[[], float]) -> None:
        self._until, self._now = until, now
        self.outcome = outcome

    def __iter__(self) -> Iterator[int]:
        for number in range(self.outcome.wanted):
            if self.outcome.enough and self._now() >= self._until:
                return
            yield number
            self.outcome.done += 1

    def recovered(self, since: float) -> None:
        """What was brought about at `since` is over."""
        self.outcome.recoveries.append(self._now() - since)


Fault: TypeAlias = Callable[[World, Load, Rounds], Awaitable[None]]


@dataclass(frozen=True)
class Plan:
    """How often a fault comes in ten minutes, and how many of their seconds are meant for it."""

    fault: Fault
    rounds: int
    seconds: float
    least: int
    """How often it comes in however short a time."""
