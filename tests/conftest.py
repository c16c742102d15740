"""What every test stands on."""

import inspect
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

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


def _left_by(scope: Literal["function", "module", "session"], *, autouse: bool = False) -> Any:
    """A fixture that fails where something is left behind at the end of a scope, its event loop included."""

    async def check() -> AsyncIterator[None]:
        before = leaks.Left.now()
        yield
        left = await before.after_all_in_loop()
        assert not left, f"left behind: {left}"

    return pytest_asyncio.fixture(check, scope=scope, loop_scope=scope, autouse=autouse)


left_by_test = _left_by("function")
left_by_module = _left_by("module")
left_by_session = _left_by("session", autouse=True)


def _loop_scope(node: pytest.Item | pytest.Collector) -> str:
    marker = node.get_closest_marker("asyncio")
    return str(marker.kwargs.get("loop_scope") or "function") if marker else "function"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_by_module(request: pytest.FixtureRequest) -> None:
    """Fail a module whose tests share what they leave behind."""
    if _loop_scope(request.node) == "module":
        request.getfixturevalue("left_by_module")


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves something behind.

    Tests in a loop that they share have something else to share, which may do what it does in any of them:
    it is looked at when all of them are over.
    """
    if not inspect.iscoroutinefunction(getattr(request, "function", None)):
        before = leaks.Left.now()
        yield
        left = before.after_all()
        assert not left, f"left behind: {left}"
        return
    if _loop_scope(request.node) == "function":
        request.getfixturevalue("left_by_test")
    yield
