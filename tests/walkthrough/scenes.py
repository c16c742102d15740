"""What a visitor does in the browser before each picture, and which part of the page it shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image
from playwright.async_api import FloatRect, Locator, Page, ViewportSize, expect


@dataclass(frozen=True)
class Frame:
    """From the top of one thing, or of the page, to the end of another."""

    last: Locator
    first: Locator | None = None


Scene = Callable[[Page], Awaitable[Frame]]
_MARGIN = 14
_COLOURS = 96
"""Enough for flat areas and the edges of letters, in a fraction of the bytes."""
_PATIENCE = 15_000
"""Milliseconds: what the console shows has come a long way, and the machine may be busy."""
_NARROW: ViewportSize = {"width": 880, "height": 900}
_WIDE: ViewportSize = {"width": 1280, "height": 900}


async def take(page: Page, scene: Scene) -> bytes:
    """Play the scene, and take the picture; returns it as PNG."""
    frame = await scene(page)
    await page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    end, start = await _box(frame.last), await _box(frame.first) if frame.first else None
    width = await page.evaluate("() => document.documentElement.clientWidth")
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": end["y"] + end["height"] + _MARGIN}
    if start:
        clip["x"], clip["y"] = start["x"] - _MARGIN, start["y"] - _MARGIN
        clip["width"] = end["x"] + end["width"] + _MARGIN - clip["x"]
        clip["height"] -= clip["y"]
    taken = Image.open(BytesIO(await page.screenshot(full_page=True, clip=clip)))
    small = BytesIO()
    taken.quantize(_COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


async def _box(locator: Locator) -> FloatRect:
    box = await locator.bounding_box()
    assert box is not None, "it is not to be seen"
    return box


async def _open(page: Page) -> None:
    await page.set_viewport_size(_NARROW)
    await page.goto("/productpage")


async def _choose(page: Page, lane: str) -> None:
    await _open(page)
    await page.locator(f"#lane-{lane}").click()
    await expect(page.locator("#live")).to_have_attribute("data-lane", lane)


async def _sign_in(page: Page, user: str) -> None:
    await _open(page)
    await page.get_by_label("User").fill(user)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Signed in as")).to_be_visible()


def _way(page: Page) -> Frame:
    return Frame(page.locator(".way"))


def _book(page: Page) -> Frame:
    return Frame(page.locator("main .parts"))


async def page_base(page: Page) -> Frame:
    await _open(page)
    return _book(page)


async def page_dev(page: Page) -> Frame:
    await _choose(page, "dev")
    return _book(page)


async def lanes_qa(page: Page) -> Frame:
    await _choose(page, "qa")
    return _way(page)


async def strict(page: Page) -> Frame:
    await _choose(page, "dev")
    return _book(page)


async def jason(page: Page) -> Frame:
    await _sign_in(page, "jason")
    return _way(page)


async def jason_again(page: Page) -> Frame:
    """He is signed in already."""
    if await page.get_by_text("Signed in as").count():
        await _open(page)
    else:
        await _sign_in(page, "jason")
    return _book(page)


async def timeout(page: Page) -> Frame:
    await _open(page)
    return _book(page)


async def _console(page: Page) -> None:
    await page.set_viewport_size(_WIDE)
    await page.goto("/mesh")
    await expect(page.locator("#live")).not_to_have_attribute("data-state", "off")


def _card(page: Page, title: str) -> Locator:
    return page.locator(f"section[aria-labelledby={title}]")


async def console_map(page: Page) -> Frame:
    await _console(page)
    for lane in ("dev", "qa"):
        await expect(page.locator("#map-table")).to_contain_text(lane, timeout=_PATIENCE)
    await page.locator("#map-as-table").evaluate("element => element.open = false")
    return Frame(_card(page, "lanes-title"), first=_card(page, "map-title"))


async def console_why(page: Page) -> Frame:
    await _console(page)
    row = page.locator("#request-rows tr", has_text="reviews v2").first
    await row.click(timeout=_PATIENCE)
    opened = page.locator("#opened")
    await opened.get_by_role("button", name="reviews").filter(has_text="Why?").first.click(timeout=_PATIENCE)
    await expect(opened).to_contain_text("lane-dev", timeout=_PATIENCE)
    return Frame(_card(page, "opened-title"), first=_card(page, "opened-title"))


async def console_refused(page: Page) -> Frame:
    await _console(page)
    await page.locator("#yaml-object").select_option(
        label="VirtualService default/reviews", timeout=_PATIENCE
    )
    area = page.locator("#yaml")
    await area.fill((await area.input_value()).replace("weight", "wieght"))
    await expect(page.locator("#yaml-verdict")).to_contain_text("This would be refused", timeout=_PATIENCE)
    return Frame(_card(page, "yaml-title"), first=_card(page, "yaml-title"))


SCENES: dict[str, Scene] = {
    "page-base": page_base,
    "page-dev": page_dev,
    "lanes-qa": lanes_qa,
    "strict": strict,
    "user-jason": jason,
    "routing-jason": jason,
    "delay": jason,
    "abort": jason_again,
    "timeout": timeout,
    "console-map": console_map,
    "console-why": console_why,
    "console-refused": console_refused,
}
