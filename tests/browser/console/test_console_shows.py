"""What the page of the console shows: requests and why they went where they went, and who can read it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from console.app import ConsoleServer
from console.settings import Settings
from mesh import Mesh
from tests.browser.conftest import NewPage
from tests.browser.console.conftest import OpenConsole, card, lane, line, rows, send

pytestmark = pytest.mark.asyncio(loop_scope="session")
WIDE = {"width": 1400, "height": 900}
NARROW = {"width": 390, "height": 800}


async def filtered(page: Page, *, lane: str = "", user: str = "", status: str = "") -> None:
    filters = page.get_by_role("form", name="Filter the requests")
    await filters.get_by_label("Lane").select_option(lane)
    await filters.get_by_label("User").fill(user)
    await filters.get_by_label("Status").select_option(status)


async def test_a_request_opened_shows_its_waterfall_and_why(open_console: OpenConsole) -> None:
    async with open_console() as page, lane(page, "dev", reviews="v2"):
        await send(page, lane="dev", user="opener")
        await filtered(page, user="opener")
        await rows(page).first.get_by_role("button").click()
        spans = page.locator(".waterfall > li")
        reviews = spans.filter(has_text="calls Reviews/GetReviews")
        await expect(reviews.locator(".bar .span")).to_have_attribute("width", re.compile(r"\d"))
        await expect(spans.filter(has_text="ratings v1")).to_have_count(1)
        await reviews.get_by_role("button", name="Why").click()
        says = reviews.locator(".says")
        await expect(says).to_contain_text("Rule lane-dev takes it: it sends lane dev to its own reviews v2.")
        await expect(reviews.locator(".steps > li")).to_contain_text(["lane-dev"])
        await expect(reviews.locator("tbody")).to_contain_text("lane-dev")
        assert re.search(r"#request=[0-9a-f]{32}$", page.url), "a reload opens it again"
        await page.reload()
        await expect(page.locator("#opened h3")).to_contain_text("GET /api/v1/products/0")
        await page.get_by_role("button", name="Close").click()
        await expect(page.locator("#opened")).to_contain_text("Choose a request")


async def test_filters_and_holding_still(open_console: OpenConsole) -> None:
    async with open_console() as page, lane(page, "qa", details="v2"):
        await page.get_by_role("button", name="qa", exact=True).click()  # lets go of the new lane
        await send(page, lane="qa", user="Jörg <b>")
        await send(page, lane="base", user="Ann")
        await filtered(page, lane="qa")
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("Jörg <b>")
        await filtered(page, user="ann")
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("base")
        await filtered(page, user="ann", lane="qa")
        await expect(page.get_by_text("No request fits these filters.")).to_be_visible()
        await filtered(page, user="ann", status="failed")
        await expect(rows(page)).to_have_count(0)
        await filtered(page, user="ann", status="well")
        await expect(rows(page)).to_have_count(1)
        await page.get_by_role("button", name="Hold still").click()
        await send(page, user="Ann")
        # Signing in is a request as well.
        await page.get_by_role("button", name="Go on (2 new)").click()
        await expect(rows(page)).to_have_count(2)


async def test_a_request_that_is_kept_no_more_is_said_to_be_too_old(open_console: OpenConsole) -> None:
    async with open_console(tolerated="status of 404") as page:
        await page.goto(f"/mesh#request={'a' * 32}")
        await page.reload()
        await expect(page.locator("#opened")).to_contain_text("It is too old: the console keeps the last 300")


async def test_the_map_by_keyboard(open_console: OpenConsole) -> None:
    async with open_console() as page:
        await send(page)
        calls = line(page, "base", "productpage v1", "details v1")
        await expect(calls).to_be_visible()
        await page.locator("#map-room").focus()
        await page.keyboard.press("Tab")
        for _ in range(await page.locator("#map [data-key]").count()):
            if await calls.evaluate("(node) => node === document.activeElement"):
                break
            await page.keyboard.press("ArrowRight")
        await expect(calls).to_be_focused()
        await expect(page.locator("#map-readout")).to_contain_text("Lane base: productpage v1 to details v1")
        await page.keyboard.press("Enter")
        await expect(card(page, "base").locator(".look")).to_have_attribute("aria-pressed", "true")
        await expect(calls).to_be_focused()


async def test_the_rules_of_each_client_and_one_whole(open_console: OpenConsole) -> None:
    async with open_console() as page:
        client = page.locator(".client").filter(has_text="productpage-v1")
        await expect(client.locator("summary")).to_contain_text("none refused")
        await client.locator("summary").click()
        row = client.locator("tbody tr").filter(has_text="RDS").filter(has_text="||reviews")
        await expect(row).to_contain_text("✓ acknowledged")
        await row.get_by_role("button").click()
        await expect(client.locator("pre")).to_contain_text(
            "outbound|9080|v1|reviews.default.svc.cluster.local"
        )


async def test_a_console_that_is_gone_is_said_to_be_and_found_again(
    open_console: OpenConsole, mesh: Mesh
) -> None:
    async with open_console(tolerated="Failed to load resource") as page:
        await mesh.kill("console", signal.SIGKILL)
        await expect(page.locator("#live")).to_have_text("The console does not answer; trying again.")
        await expect(page.locator("#age")).to_contain_text("What is shown is")
        await mesh.start("console")
        await expect(page.locator("#live")).to_have_text("live", timeout=15_000)
        await expect(page.locator("#age")).to_be_empty()
        await send(page)  # with the token of the new console


async def test_read_only_has_no_controls_and_says_why(new_page: NewPage, mesh: Mesh) -> None:
    async with ConsoleServer(Settings(mesh.state.path, read_only=True)) as console:
        base_url = console.url.removesuffix("/mesh")
        async with new_page(base_url=base_url) as page:
            await page.goto("/mesh")
            await expect(page.locator("#live")).to_have_text("live")
            await expect(page.locator("#notes")).to_contain_text("started with --read-only")
            await expect(page.locator("#map .station").first).to_be_visible()
            for name in ("Kill", "Send", "Create", "Delete", "Apply", "Shift", "Inject", "Steady"):
                await expect(page.get_by_role("button", name=name)).to_have_count(0)


async def test_without_a_script_it_is_a_snapshot(new_page: NewPage, open_console: OpenConsole) -> None:
    async with open_console() as live, lane(live, "dev", reviews="v2"):
        await send(live, lane="dev", user="reader")
        await expect(line(live, "dev", "productpage v1", "reviews v2")).to_be_visible()
        await expect(rows(live).filter(has_text="reader").filter(has_text="reviews v2")).to_be_visible()
        async with new_page(java_script_enabled=False) as page:
            await page.goto("/mesh")
            await expect(page.locator("#live")).to_contain_text("a snapshot")
            called = page.locator("#map-table tr").filter(has_text="dev").filter(has_text="reviews v2")
            await expect(called.first).to_be_visible()
            await expect(page.locator("#lane-cards")).to_contain_text("reviews v2 ✓ ready")
            await expect(rows(page).filter(has_text="reader").first).to_contain_text("reviews v2")
            await expect(page.locator("#rule-clients")).to_contain_text("productpage-v1")
            buttons = page.get_by_role("button").filter(visible=True)
            await expect(buttons).to_have_count(0)  # none that does nothing


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_everybody_can_use_it(
    open_console: OpenConsole, scheme: str, viewport: dict[str, int], screenshots: Path
) -> None:
    # Without motion: a colour on its way to another has no contrast to be judged.
    look = {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}
    async with open_console(**look) as page, lane(page, "dev", reviews="v2", ratings="v2"):
        await send(page, count=4)
        await send(page, lane="dev", user="Ann")
        await expect(line(page, "dev", "reviews v2", "ratings v2")).to_be_visible()
        await page.get_by_role("button", name="See where it went").click()
        await expect(page.locator("#opened h3")).to_be_focused()
        await expect(page.locator("#opened h3")).to_be_in_viewport(ratio=1)
        await page.get_by_role("button", name="Why").nth(1).click()
        await expect(page.locator(".says").first).to_be_visible()
        await page.locator("#service-reviews .faults summary").click()
        await page.locator(".client summary").first.click()
        await rows(page).first.scroll_into_view_if_needed()
        for cell in (".status", ".number"):
            await expect(rows(page).first.locator(cell)).to_be_in_viewport(ratio=1)
        name = f"console-{scheme}-{viewport['width']}.png"
        await page.screenshot(path=screenshots / name, full_page=True)
        found = await Axe().run(page)
        assert len(found.response["passes"]) > 20, "axe looked at the page"
        assert found.violations_count == 0, found.generate_report()
        wider = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, "the page scrolls sideways"
