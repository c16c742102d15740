"""Every page of docs/walkthrough, typed from top to bottom into a real shell beside a real mesh."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mesh import Mesh
from tests.fakes.lanes_command import rules
from tests.walkthrough.following import follow
from tests.walkthrough.page import KIND, all_pages
from tests.walkthrough.shell import Shell

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    # A page is some twenty commands, each a process of its own.
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not all(map(shutil.which, ("bash", "curl"))), reason="the pages are typed with bash and curl"
    ),
]


async def state_of(mesh: Mesh) -> dict[str, object]:
    """All that a page may have changed: rules, the door, what runs."""
    door = mesh.state.door_rules
    return {
        "rules": await rules(mesh),
        "door": door.read_text() if door.exists() else "",
        "processes": {each.name: each.text for each in (await mesh.status()).processes},
    }


@pytest.mark.parametrize("page", [page for page in all_pages() if page != KIND], ids=lambda page: page.stem)
async def test_a_page_does_what_it_says(page: Path, mesh: Mesh, prompt: Shell) -> None:
    before = await state_of(mesh)
    await follow(page, prompt)
    assert await state_of(mesh) == before, f"{page.name} does not put back what it changed"
