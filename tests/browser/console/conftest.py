"""A mesh with its lane console, and the page of that as a newcomer finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from mesh import Mesh
from tests.browser.conftest import NewPage

OpenConsole = Callable[..., AbstractAsyncContextManager[Page]]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("console") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0, console=True) as running:
        await running.until("console", "ready")
        yield running


@pytest.fixture
def open_console(new_page: NewPage) -> OpenConsole:
    """The page of the console, live."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Page]:
        async with new_page(**options) as page:
            page.set_default_timeout(10_000)
            await page.goto("/mesh")
            await expect(page.locator("#live")).to_have_text("live")
            yield page

    return opened


async def create_lane(page: Page, name: str, **versions: str) -> None:
    """Create a lane with the page's form and wait until it is in force."""
    await page.get_by_text("Create a lane", exact=True).click()
    await page.get_by_label("Name", exact=True).fill(name)
    for service, version in versions.items():
        await page.get_by_role("group", name=service).get_by_text(version, exact=True).click()
    await page.get_by_role("button", name="Create the lane").click()
    await expect(page.locator("#lanes-said")).to_contain_text(f"Lane {name} is in force after")
    await expect(card(page, name)).to_be_visible()


async def delete_lane(page: Page, name: str) -> None:
    """Delete it with the button on its card."""
    await page.get_by_role("button", name=f"Delete lane {name}", exact=True).click()
    await expect(card(page, name)).to_have_count(0)


@asynccontextmanager
async def lane(page: Page, name: str, **versions: str) -> AsyncIterator[None]:
    """A lane for as long as it is needed."""
    await create_lane(page, name, **versions)
    try:
        yield
    finally:
        await delete_lane(page, name)


async def send(page: Page, lane: str = "base", user: str = "", count: int = 1) -> None:
    """Send requests from the page and wait for their answers."""
    form = page.get_by_role("form", name="Send requests")
    await form.get_by_label("Lane").select_option(lane)
    await form.get_by_label("User").fill(user)
    await form.get_by_label("How many").fill(str(count))
    await form.get_by_role("button").click()
    sent = f"Sent {count}" if count > 1 else "Sent"
    await expect(page.locator("#traffic")).to_contain_text(f"{sent} in lane {lane}: ")
    await expect(page.locator("#traffic")).to_contain_text("200")


def card(page: Page, lane: str) -> Locator:
    """The card of a lane."""
    return page.locator(f"#lane-cards > [data-name='{lane}']")


def line(page: Page, lane: str, caller: str, callee: str) -> Locator:
    """The line on the map of a lane's calls, by what it says to a screen reader."""
    return page.locator(f"#map .line[aria-label^='Lane {lane}: {caller} to {callee}: ']")


def rows(page: Page) -> Locator:
    """The requests in the list."""
    return page.locator("#request-rows > tr")
