"""What can be done on the page of the console, and what it then shows, on a running mesh."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from mesh import Mesh
from tests.browser.console.conftest import OpenConsole, card, create_lane, delete_lane, lane, line, rows, send

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOOK = re.compile(r"\d m?s$")
PATIENCE = 20_000.0  # milliseconds, on a machine that does other things as well
WEIGHT = "reviews {}, percent of base"


async def done(outcome: Locator, words: str) -> None:
    """What was done is told beside its control, with the milliseconds until it was in force."""
    await expect(outcome.locator(".done").filter(has_text=words).locator(".took")).to_have_text(
        TOOK, timeout=PATIENCE
    )


async def undo(outcome: Locator, words: str) -> None:
    await outcome.locator(".done").filter(has_text=words).get_by_role("button", name="Undo").click()
    await done(outcome, f"Undo: {words}")


async def choose_object(page: Page, title: str) -> Locator:
    """Choose an object in the editor; answers the text area with its YAML."""
    await page.get_by_label("Object", exact=True).select_option(title)
    return page.get_by_role("textbox", name="YAML")


async def test_a_lane_created_here_is_on_the_map_once_a_request_is_in_it(open_console: OpenConsole) -> None:
    async with open_console() as page:
        await expect(page.locator("#no-lanes")).to_contain_text("There is no lane yet")
        await create_lane(page, "canary", reviews="v2", ratings="v2")
        await expect(page.locator("#no-lanes")).to_be_hidden()
        await expect(card(page, "canary")).to_contain_text("reviews v2 ✓ ready")
        await expect(card(page, "canary")).to_contain_text("Base stands in for details.")
        await page.get_by_role("button", name="Send a request in canary").click()
        await expect(line(page, "canary", "productpage v1", "reviews v2")).to_be_visible()
        await expect(line(page, "canary", "reviews v2", "ratings v2")).to_be_visible()
        await expect(line(page, "canary", "productpage v1", "details v1")).to_be_visible()
        await expect(card(page, "canary")).to_contain_text("1 request")
        await page.get_by_role("button", name="See where it went").click()
        await expect(page.locator("#opened h3")).to_be_focused()
        await expect(page.locator(".waterfall > li").filter(has_text="ratings v2")).to_be_visible()
        await delete_lane(page, "canary")
        await done(page.locator("#lanes-said"), "Delete lane canary")
        await expect(page.locator("#no-lanes")).to_be_visible()


async def test_what_is_lacking_or_refused_is_said_beside_the_form(open_console: OpenConsole) -> None:
    async with open_console(tolerated="status of 400") as page:
        await page.get_by_text("Create a lane", exact=True).click()
        form, name = page.locator("#new-lane form"), page.get_by_label("Name", exact=True)
        await form.get_by_role("button").click()
        await expect(form.locator(".failed")).to_have_text("A lane needs a name.")
        await expect(name).to_be_focused()
        await name.fill("No Good")
        await form.get_by_role("button").click()
        await expect(form.locator(".failed")).to_contain_text("version of its own for at least one service")
        await page.get_by_role("group", name="reviews").get_by_text("v2", exact=True).click()
        await form.get_by_role("button").click()
        await expect(form.locator(".failed")).to_contain_text("No Good")
        await expect(card(page, "No Good")).to_have_count(0)


async def test_shifted_weights_change_the_split_on_the_map(open_console: OpenConsole) -> None:
    async with open_console() as page:
        service = page.locator("#service-reviews")
        v1, v3 = (service.get_by_label(WEIGHT.format(version), exact=True) for version in ("v1", "v3"))
        await expect(v1).to_have_value("100")
        await v3.fill("50")
        await expect(v1).to_have_value("50")
        await service.get_by_role("button", name="Shift").click()
        await done(service.locator(".weights"), "Weights of reviews")
        await send(page, count=40)  # that one of two equal versions gets none of these is one in 2^39
        for version in ("v1", "v3"):
            await expect(line(page, "base", "productpage v1", f"reviews {version}")).to_be_visible()
        await expect(line(page, "base", "reviews v3", "ratings v1")).to_be_visible()
        await undo(service.locator(".weights"), "Weights of reviews")
        await expect(v1).to_have_value("100")
        await expect(page.locator("#journal")).to_contain_text("Undo: Weights of reviews")


async def test_a_refused_yaml_shows_its_reason_and_changes_nothing(
    open_console: OpenConsole, mesh: Mesh
) -> None:
    before = [(item.title, item.document) for item in await mesh.objects()]
    async with open_console() as page:
        area = await choose_object(page, "DestinationRule default/reviews")
        text = await area.input_value()
        number = text.splitlines().index("  host: reviews") + 1
        await area.fill(text.replace("  host: reviews", "  hostt: reviews"))
        verdict = page.locator("#yaml-verdict .failed")
        await expect(verdict).to_contain_text("hostt")
        await expect(page.locator(".gutter .wrong")).to_have_text(f"✕ {number}")
        await expect(area).to_have_attribute("aria-invalid", "true")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.locator("#editor")).to_contain_text("Refused. Nothing was changed.")
        await page.get_by_role("button", name="Put back what is in force").click()
        await expect(area).to_have_value(text)
        await expect(verdict).to_have_count(0)
    assert [(item.title, item.document) for item in await mesh.objects()] == before


async def test_an_edited_object_is_applied_and_taken_back(open_console: OpenConsole, mesh: Mesh) -> None:
    async with open_console() as page:
        area = await choose_object(page, "VirtualService default/details")
        before = await area.input_value()
        after = before.replace("  - route:", "  - timeout: 2s\n    route:")
        await area.fill(after)
        await expect(page.locator("#yaml-verdict")).to_contain_text("Can be applied.")
        await page.get_by_role("button", name="Apply").click()
        outcome = page.locator("#editor > .outcome").last
        await done(outcome, "Apply virtualservice/details")
        assert "'timeout': '2s'" in str([item.document for item in await mesh.objects()])
        await undo(outcome, "Apply virtualservice/details")
        await expect(area).to_have_value(before)


async def test_a_killed_instance_shows_and_undo_brings_it_back(open_console: OpenConsole) -> None:
    async with open_console() as page:
        instance = page.locator("#service-reviews .instances > li").filter(has_text="reviews/v3")
        station = page.locator("#map .station[aria-label^='reviews v3: ']")
        await expect(station).to_have_attribute("aria-label", re.compile("1 of 1 instance ready"))
        await page.get_by_role("button", name="Kill reviews/v3").click()
        await done(instance, "Kill reviews/v3")
        await expect(instance).to_contain_text("killed")
        await expect(station).to_have_class(re.compile(r"\bdown\b"))
        await expect(station).to_have_attribute("aria-label", re.compile("0 of 1 instance ready"))
        await undo(instance, "Kill reviews/v3")
        await expect(instance).to_have_class("ready")
        await expect(station).to_have_attribute("aria-label", re.compile("1 of 1 instance ready"))


async def test_a_broken_service_is_found_by_its_requests_and_mended(open_console: OpenConsole) -> None:
    async with open_console() as page:
        faults = page.locator("#service-details .faults")
        await faults.locator("summary").click()
        await faults.get_by_role("button", name="Inject").click()
        await expect(faults.locator(".failed")).to_have_text("Give a delay, an abort, or both.")
        await faults.get_by_label("Abort with").select_option("UNAVAILABLE")
        await faults.get_by_role("button", name="Inject").click()
        await done(faults, "Abort with UNAVAILABLE")
        await send(page, user="breaker")
        sent = page.locator("#traffic .failed")
        await expect(sent).to_contain_text("Sent in lane base: 200, but details failed: ")
        standing = page.locator("#service-details .standing")
        await expect(standing).to_contain_text("everybody's calls: aborted with UNAVAILABLE, 100 %")
        await expect(page.locator("#map .title").filter(has_text="details")).to_contain_text("✕ fault")
        await expect(card(page, "base")).to_contain_text("calls to details are aborted with UNAVAILABLE")
        await page.get_by_label("User", exact=True).last.fill("breaker")
        await expect(rows(page).first).to_contain_text("✕ details")
        await expect(rows(page).first.locator(".status")).to_contain_text("◐ 200in part")
        await rows(page).first.get_by_role("button").click()
        call = page.locator(".waterfall > li.failed-span").filter(has_text="Details/GetDetails")
        await expect(call).to_contain_text("fault injected")
        await call.get_by_role("button", name="Why").click()
        await expect(call.locator(".says")).to_contain_text("aborts 100 % of its calls with UNAVAILABLE")
        await expect(line(page, "base", "productpage v1", "details, aborted by a rule")).to_be_visible()
        await expect(faults.get_by_role("button", name="Take the fault away")).to_be_visible()
        await standing.get_by_role("button", name="Take it away").click()
        await done(page.locator("#service-details"), "Clear the faults of calls to details")
        await expect(standing).to_be_hidden()
        await expect(faults.get_by_role("button", name="Take the fault away")).to_be_hidden()
        await send(page, user="mended")
        await page.get_by_label("User", exact=True).last.fill("mended")
        await expect(rows(page).first).to_contain_text("details v1")
        await expect(rows(page).first.locator(".broken")).to_have_count(0)
        await expect(page.locator("#traffic .done")).to_contain_text("Sent in lane base: 200.")


async def test_a_control_plane_that_is_gone_is_said_and_started(open_console: OpenConsole) -> None:
    async with open_console(tolerated="Failed to load resource") as page:
        banner, note = page.locator("#plane"), page.locator("#rules-note")
        await expect(page.get_by_role("button", name="Kill reviews/v1")).to_be_visible()
        await expect(page.get_by_role("button", name="Kill productpage/v1")).to_be_hidden()
        await expect(banner).to_be_hidden()
        await page.get_by_role("button", name="Kill controlplane").click()
        await expect(banner).to_contain_text("The control plane does not run.", timeout=PATIENCE)
        await expect(note).to_contain_text("no client is connected", timeout=PATIENCE)
        await page.get_by_text("Create a lane", exact=True).click()
        await page.get_by_label("Name", exact=True).fill("late")
        await page.get_by_role("group", name="reviews").get_by_text("v2", exact=True).click()
        await page.get_by_role("button", name="Create the lane").click()
        await expect(page.locator("#new-lane .failed")).to_contain_text("Start it above")
        await banner.get_by_role("button", name="Start it").click()
        await expect(banner).to_be_hidden(timeout=PATIENCE)
        await expect(note).to_be_hidden(timeout=PATIENCE)


async def test_unsaved_text_is_not_thrown_away_unasked(open_console: OpenConsole) -> None:
    async with open_console() as page:
        area = await choose_object(page, "DestinationRule default/reviews")
        await area.fill("mine")
        page.once("dialog", lambda dialog: dialog.dismiss())
        await page.get_by_label("Object", exact=True).select_option("DestinationRule default/details")
        await expect(page.get_by_label("Object", exact=True)).to_have_value("DestinationRule default/reviews")
        await expect(area).to_have_value("mine")
        page.once("dialog", lambda dialog: dialog.accept())
        await page.get_by_label("Object", exact=True).select_option("DestinationRule default/details")
        await expect(area).to_have_value(re.compile("host: details"))


async def test_steady_traffic_flows_until_it_is_stopped(open_console: OpenConsole) -> None:
    async with open_console() as page:
        form = page.get_by_role("form", name="Steady traffic")
        await form.get_by_label("Requests a second").fill("20")
        await form.get_by_role("button", name="Steady traffic").click()
        await expect(form).to_contain_text("steady traffic: 20/s")
        await expect(rows(page).nth(9)).to_be_visible()
        async with lane(page, "late", reviews="v2"):
            await form.get_by_role("button", name="Into late as well").click()
            await expect(form).to_contain_text(
                "steady traffic: 20/s in base and late, of every 5 requests 4 in base and 1 in late"
            )
            await expect(line(page, "late", "productpage v1", "reviews v2")).to_be_visible()
            await form.get_by_role("button", name="Stop").click()
            await expect(form).not_to_contain_text("steady traffic: 20/s")
