"""One mesh for all pages; each finds it as `make up` leaves it, and leaves it so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mesh import Mesh
from tests.walkthrough.shell import Shell, shell_beside


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("walkthrough") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0, console=True) as running:
        await running.until("console", "ready")  # nothing else waits for it
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def prompt(mesh: Mesh, tmp_path: Path) -> AsyncIterator[Shell]:
    """A shell beside the mesh, in which the page's own addresses lead to it."""
    async with shell_beside(mesh, tmp_path) as opened:
        yield opened
