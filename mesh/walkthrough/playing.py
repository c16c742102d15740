"""Playing steps: prints each as it comes, and says at the end which were not as they should be."""

from __future__ import annotations

import time

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from mesh.errors import MeshError
from mesh.walkthrough.outcome import Outcome, Stage, Step


class Playing:
    """One walkthrough on one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0
        self._failed: list[str] = []
        self._title = ""
        self._started = 0.0

    def begin(self, title: str) -> None:
        """Head the next step."""
        self._number += 1
        self._title, self._started = title, time.monotonic()
        self._console.print()
        self._console.print(Text(f"{self._number:2d}  {title}", style="bold"))

    def end(self, outcome: Outcome) -> None:
        """Say what came of the step that was begun."""
        for line in outcome.seen:
            wrong = line.startswith("not as it should be")
            self._console.print(Text(f"    {line}", style="red" if wrong else ""), soft_wrap=True)
        seconds = f"({time.monotonic() - self._started:.1f} s)"
        mark = ("✓", "green") if outcome.ok else ("✗", "bold red")
        self._console.print(Text(f"    {mark[0]} {seconds}", style=mark[1]))
        if not outcome.ok:
            self._failed.append(self._title)

    async def play(self, step: Step, stage: Stage) -> None:
        """Play a step; an error of the mesh is its failure."""
        self.begin(step.title)
        try:
            outcome = await step.play(stage)
        except MeshError as error:
            outcome = Outcome(False, (f"not as it should be: {error}",))
        self.end(outcome)

    def break_off(self, error: MeshError) -> None:
        """The step that was begun cannot be ended, and nothing can follow."""
        self._failed.append(self._title)
        self._console.print(Text(f"    {error}", style="red"), soft_wrap=True)

    def conclude(self) -> bool:
        """Say how all of it went; whether all was as it should be."""
        self._console.print(Rule())
        if not self._failed:
            self._console.print(Text(f"All {self._number} steps were as they should be.", style="bold green"))
            return True
        text = f"Not as it should be: {'; '.join(self._failed)}."
        self._console.print(Text(text, style="bold red"), soft_wrap=True)
        return False

    @property
    def failed(self) -> bool:
        """Whether a step was not as it should be."""
        return bool(self._failed)
