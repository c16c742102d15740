"""What every test stands on."""

import asyncio
import gc
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


@pytest_asyncio.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail a test that leaves tasks running."""
    before = asyncio.all_tasks()
    yield
    left = list(await leaks.tasks_left(before))
    assert not left, f"left running: {left}"


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves something behind; what fixtures of a module share is older than the test."""
    if not Path("/proc/self/fd").exists():
        yield
        return
    children, channels, sockets = leaks.children(), leaks.open_channels(), leaks.sockets()
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("no_task_left")
    yield
    if leaks.open_channels() - channels:
        gc.collect()
    left = leaks.left(leaks.children, children) | (leaks.open_channels() - channels)
    left |= leaks.left(leaks.sockets, sockets)
    assert not left, f"left behind: {left}"
