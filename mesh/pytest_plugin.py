"""pytest fixtures for services in lanes; installed as a plugin, so a test only has to name them.

Nothing but pytest is imported before a test asks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mesh.testing import LaneMesh


@pytest.fixture
def lane_mesh() -> LaneMesh:
    """A mesh of this test's own, to be entered in the test's event loop: `async with lane_mesh as mesh`.

    The fixture itself is not async, so it is the same under pytest-asyncio, under anyio, and in a test that
    calls `asyncio.run`.
    """
    from mesh.testing import LaneMesh  # noqa: PLC0415 - see above

    return LaneMesh()
