"""Every page of docs/walkthrough, typed from top to bottom into a real shell beside a real mesh."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh import Mesh
from tests.fakes.lanes_command import rules
from tests.walkthrough.expected import difference
from tests.walkthrough.page import SavedFile, Step, all_pages, read, steps_of
from tests.walkthrough.shell import Shell

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def state_of(mesh: Mesh) -> dict[str, object]:
    """All that a page may have changed: rules, the door, what runs."""
    door = mesh.state.door_rules
    return {
        "rules": await rules(mesh),
        "door": door.read_text() if door.exists() else "",
        "processes": {each.name: each.text for each in (await mesh.status()).processes},
    }


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.stem)
async def test_a_page_does_what_it_says(page: Path, mesh: Mesh, prompt: Shell) -> None:
    before = await state_of(mesh)
    for step in steps_of(read(page)):
        if isinstance(step, SavedFile):
            prompt.save(step.name, step.text)
        elif isinstance(step, Step):
            where = f"{page.name}, line {step.line}"
            typed = await prompt.type(step.script)
            assert not typed.failed, f"{where}: failed: {typed.failed}\n{typed.printed}"
            wrong = difference(step.expected, typed.printed) if step.expected is not None else ""
            assert not wrong, f"{where}:\n{step.script}\n{wrong}"
    assert await state_of(mesh) == before, f"{page.name} does not put back what it changed"
