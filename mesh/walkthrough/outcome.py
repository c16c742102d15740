"""What a step of the walkthrough comes to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mesh.mesh import Mesh
from mesh.walkthrough.door import Door


@dataclass(frozen=True)
class Outcome:
    """Whether a step was as it should be, and what was seen; what was not, comes last."""

    ok: bool
    seen: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """What every step plays on."""

    mesh: Mesh
    door: Door


@dataclass(frozen=True)
class Step:
    """One step: what it shows, in a person's words, and how it is played."""

    title: str
    play: Callable[[Stage], Awaitable[Outcome]]


class Notes:
    """Collects what a step sees and what was not as it should be."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._wrong: list[str] = []

    def see(self, line: str) -> None:
        """Something a person would want to see."""
        self._seen.append(line)

    def expect(self, held: bool, wrong: str) -> None:
        """Something that must hold, and what to say if it does not."""
        if not held:
            self._wrong.append(f"not as it should be: {wrong}")

    def outcome(self) -> Outcome:
        """The step's outcome."""
        return Outcome(not self._wrong, (*self._seen, *self._wrong))
