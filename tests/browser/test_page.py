"""The page as people see it, in headless Chromium, on a running mesh with the lanes dev and qa (strict)."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import NewPage

pytestmark = pytest.mark.asyncio(loop_scope="session")
WIDE = {"width": 1200, "height": 900}
NARROW = {"width": 360, "height": 780}


async def chain(page: Page) -> list[str]:
    """Service and version of each hop, with who it was served by."""
    hops = page.locator(".hops .name")
    return [" ".join(text.split()) for text in await hops.all_inner_texts()]


async def in_lane(page: Page, lane: str) -> None:
    await expect(page.locator("#live")).to_have_attribute("data-lane", lane)


async def loads_of(page: Page) -> int:
    """How often a whole page was loaded: a mark set on the window is gone with it."""
    return int(await page.evaluate("() => window.marked = (window.marked || 0) + 1"))


IN_BASE = ["productpage v1 door", "details v1 base", "reviews v1 base"]
IN_DEV = ["productpage v1 door", "details v1 base stood in", "reviews v2 dev", "ratings v2 dev"]


async def test_switching_the_lane_changes_the_versions_in_place_and_back_leads_back(
    new_page: NewPage,
) -> None:
    async with new_page() as page:
        await page.goto("/productpage?id=2")
        assert await chain(page) == IN_BASE
        assert await page.locator(".stars").count() == 0
        assert await loads_of(page) == 1
        await page.get_by_role("button", name="dev").click()
        await in_lane(page, "dev")
        assert await chain(page) == IN_DEV
        await expect(page.locator(".stars.black").first).to_have_attribute("aria-label", "5 of 5 stars")
        await expect(page.get_by_role("button", name="dev")).to_have_attribute("aria-pressed", "true")
        await expect(page.get_by_role("button", name="dev")).to_be_focused()
        await expect(page.get_by_role("status")).to_contain_text("reviews asked ratings v2 of lane dev")
        await page.get_by_role("link", name="Ask again").click()
        await expect(page.get_by_role("link", name="Ask again")).to_be_focused()
        await page.go_back()
        await in_lane(page, "base")
        assert await chain(page) == IN_BASE
        await page.go_forward()
        await in_lane(page, "dev")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Pride and Prejudice")
        assert await loads_of(page) == 2, "the page was loaded anew in between"
        await page.reload()
        await in_lane(page, "dev")
        assert await loads_of(page) == 1


async def test_by_keyboard_alone(new_page: NewPage) -> None:
    async with new_page() as page:
        await page.goto("/productpage")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="To the book")).to_be_focused()
        for _ in range(20):
            if await page.evaluate("() => document.activeElement.id") == "lane-dev":
                break
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await in_lane(page, "dev")
        await expect(page.locator("#lane-dev")).to_be_focused()


async def test_without_a_script(new_page: NewPage) -> None:
    async with new_page(java_script_enabled=False) as page:
        await page.goto("/productpage?id=1")
        await page.get_by_role("button", name="dev").click()
        await in_lane(page, "dev")
        assert page.url.endswith("/productpage?id=1")
        assert await chain(page) == IN_DEV
        await page.get_by_label("User").fill("Jörg <b>")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("Signed in as")).to_have_text("Signed in as Jörg <b>")
        await in_lane(page, "dev")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="base").click()
        await in_lane(page, "base")
        assert await chain(page) == IN_BASE


async def test_a_strict_lane_says_what_failed(new_page: NewPage) -> None:
    async with new_page() as page:
        await page.goto("/productpage")
        await page.get_by_role("button", name="qa").click()
        await in_lane(page, "qa")
        assert (await chain(page))[1:] == ["details v2 qa", "reviews v3 qa", "ratings no answer"]
        await expect(page.locator(".map .stop.failed")).to_contain_text("ratings")
        await expect(page.get_by_text("Ratings service is currently unavailable.")).to_be_visible()


async def test_a_lane_that_is_gone_is_shown_and_can_be_left(new_page: NewPage) -> None:
    async with new_page() as page:
        await page.goto("/productpage")
        await page.context.add_cookies([{"name": "lane", "value": "gone", "url": page.url}])
        await page.reload()
        await expect(page.locator(".note")).to_contain_text("Lane gone is not there, or not any more")
        assert (await chain(page))[2] == "reviews v1 base stood in"
        await page.get_by_role("button", name="Leave it").click()
        await in_lane(page, "base")
        assert await page.locator(".note").count() == 0
        assert "lane" not in {cookie.get("name") for cookie in await page.context.cookies()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_everybody_can_use_it(
    new_page: NewPage, scheme: str, viewport: dict[str, int], screenshots: Path
) -> None:
    # Without motion: a colour on its way to another has no contrast to be judged.
    look = {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}
    async with new_page(**look) as page:
        await page.goto("/productpage")
        for lane in ("base", "dev", "qa"):
            await page.locator(f"#lane-{lane}").click()
            await in_lane(page, lane)
            name = f"page-{scheme}-{viewport['width']}-{lane}.png"
            await page.screenshot(path=screenshots / name, full_page=True)
            found = await Axe().run(page)
            assert len(found.response["passes"]) > 20, "axe looked at the page"
            assert found.violations_count == 0, found.generate_report()
            wider = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
            assert wider <= 0, "the page scrolls sideways"
