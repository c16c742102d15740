"""A mesh with two lanes, and a headless Chromium that tells what it complains of and whom it asks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from mesh import Mesh
from tests.fakes.lanes_command import Lanes

CHROMIUM = Path("/usr/bin/chromium")
SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"

NewPage = Callable[..., AbstractAsyncContextManager[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a browser where there is none."""
    if not CHROMIUM.exists():
        here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
        for item in here:
            item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not there: apt-get install chromium"))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("browser") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0) as running:
        lanes = Lanes(running, state.parent)
        await lanes.ok("create", "dev", "--service", "reviews=v2", "--service", "ratings=v2")
        await lanes.ok("create", "qa", "-s", "details=v2", "-s", "reviews=v3", "--mode", "strict")
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as chromium:
        yield chromium


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # root has none to give
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield chromium
        await chromium.close()


@pytest.fixture
def new_page(browser: Browser, mesh: Mesh) -> NewPage:
    """A page of a visitor of its own; in the end nothing was complained of, nobody else was asked.

    With `tolerated`, complaints that hold this are fine.
    """

    @asynccontextmanager
    async def opened(
        *, base_url: str = mesh.url, tolerated: str = "nothing", **options: Any
    ) -> AsyncIterator[Page]:
        context = await browser.new_context(base_url=base_url, **options)
        page = await context.new_page()
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        yield page
        await context.close()
        assert [complaint for complaint in complaints if tolerated not in complaint] == []
        assert asked
        assert [url for url in asked if not url.startswith(f"{base_url}/")] == []

    return opened


@pytest.fixture
def screenshots() -> Path:
    """Where pictures are left for people to look at; git does not see it."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
