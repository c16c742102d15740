"""What a step of the walkthrough comes to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mesh.report import Report
from mesh.walkthrough.door import Door


class Part(Protocol):
    """A process or Pod after it was killed or started."""

    @property
    def name(self) -> str:
        """As the walkthrough calls it: `reviews/v2`, `controlplane`."""

    @property
    def text(self) -> str:
        """Its state, as a person reads it."""


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    command: str
    out: str
    err: str
    code: int


class Playable(Protocol):
    """What the steps need of a mesh, on this machine or in a cluster."""

    async def apply(self, *rules: str | Path) -> Report:
        """Put rules in force, given as YAML text or as paths, and hear who has taken them."""

    async def kill(self, name: str) -> Part:
        """End an instance, or `controlplane`, without a warning; it stays away until it is started."""

    async def start(self, name: str) -> Part:
        """Bring it back; returns when it has its place in the mesh again."""

    async def explain(self, service: str, arguments: Sequence[str]) -> Said:
        """Run `python -m proxyless explain` for a call of this service, as a client inside the mesh."""

    async def places(self, service: str) -> Mapping[str, str]:
        """Where each version of a service listens, by the name `kill` knows it by."""


@dataclass(frozen=True)
class Outcome:
    """Whether a step was as it should be, and what was seen; what was not, comes last."""

    ok: bool
    seen: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """What every step plays on."""

    mesh: Playable
    door: Door


@dataclass(frozen=True)
class Step:
    """One step: what it shows, in a person's words, and how it is played."""

    title: str
    play: Callable[[Stage], Awaitable[Outcome]]
    local: bool = False
    """Whether it needs what only the one-machine mesh has."""


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
