"""One mesh for all tests of the lanes command; each finds the canary's rules and leaves nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mesh import Mesh
from mesh.sources import CANARY_RULES
from mesh.walkthrough.door import Door
from tests.fakes.lanes_command import Lanes, rules


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("lanes") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def lanes(mesh: Mesh, tmp_path: Path) -> AsyncIterator[Lanes]:
    """The command on a mesh whose rules are the canary's, and must be again in the end."""
    await mesh.apply(CANARY_RULES)
    before = await rules(mesh)
    command = Lanes(mesh, tmp_path)
    yield command
    door = mesh.state.door_rules
    if await rules(mesh) != before or (door.exists() and door.read_text()):
        await command.ok("rollback", "0")
    assert await rules(mesh) == before


@pytest_asyncio.fixture(loop_scope="session")
async def door(mesh: Mesh) -> AsyncIterator[Door]:
    async with Door(mesh.url) as door:
        yield door
