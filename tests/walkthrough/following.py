"""A page, done as it says."""

from __future__ import annotations

from pathlib import Path

from tests.walkthrough.expected import difference
from tests.walkthrough.page import SavedFile, Step, read, steps_of
from tests.walkthrough.shell import Shell


async def follow(page: Path, prompt: Shell) -> None:
    """Type it from top to bottom; no command may fail, and what is printed must be what the page shows."""
    for step in steps_of(read(page)):
        if isinstance(step, SavedFile):
            prompt.save(step.name, step.text)
        elif isinstance(step, Step):
            where = f"{page.name}, line {step.line}"
            typed = await prompt.type(step.script)
            assert not typed.failed, f"{where}: failed: {typed.failed}\n{typed.printed}"
            wrong = difference(step.expected, typed.printed) if step.expected is not None else ""
            assert not wrong, f"{where}:\n{step.script}\n{wrong}"
