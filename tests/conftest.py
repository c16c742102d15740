"""What every test stands on."""

import asyncio
import inspect
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import leaks


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs under test.

    A shell starts a background job with SIGINT ignored, and whatever that starts inherits it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    leaks.note_channels()


SHARING = {
    "browser",
    "chaos",
    "cluster",
    "cookbook",
    "deploy",
    "e2e",
    "istiod",
    "parity",
    "security",
    "walkthrough",
}
"""Folders whose tests share a mesh or peers, of which one restarts what the next one finds."""


@pytest_asyncio.fixture
async def nothing_left_in_the_loop() -> AsyncIterator[None]:
    """Fail a test that leaves something behind, its event loop included."""
    tasks, before = asyncio.all_tasks(), leaks.Left.now()
    yield
    left = await before.after_all_of(tasks)
    assert not left, f"left behind: {left}"


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves something behind, where tests share no processes that come and go."""
    where = request.path.relative_to(Path(__file__).parent).parts[0]
    if where in SHARING or not Path("/proc/self/fd").exists():
        yield
    elif inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("nothing_left_in_the_loop")
        yield
    else:
        before = leaks.Left.now()
        yield
        left = before.after_all()
        assert not left, f"left behind: {left}"
