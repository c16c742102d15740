"""What a visitor does in the browser before each picture, and which part of the page it shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO

from PIL import Image
from playwright.async_api import FloatRect, Locator, Page, expect

Scene = Callable[[Page], Awaitable[Locator]]
"""Returns what is the last thing to be seen; the picture begins at the top of the page."""
_BELOW = 14
_COLOURS = 96
"""Enough for flat areas and the edges of letters, in a fraction of the bytes."""


async def take(page: Page, scene: Scene) -> bytes:
    """Play the scene, and take the picture; returns it as PNG."""
    last = await scene(page)
    box = await last.bounding_box()
    width = await page.evaluate("() => document.documentElement.clientWidth")
    assert box is not None
    height = box["y"] + box["height"] + _BELOW
    await page.evaluate("() => document.activeElement.blur()")
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": height}
    taken = Image.open(BytesIO(await page.screenshot(full_page=True, clip=clip)))
    small = BytesIO()
    taken.quantize(_COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


async def _open(page: Page) -> None:
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


def _way(page: Page) -> Locator:
    return page.locator(".way")


def _book(page: Page) -> Locator:
    return page.locator("main .parts")


async def page_base(page: Page) -> Locator:
    await _open(page)
    return _book(page)


async def page_dev(page: Page) -> Locator:
    await _choose(page, "dev")
    return _book(page)


async def lanes_qa(page: Page) -> Locator:
    await _choose(page, "qa")
    return _way(page)


async def strict(page: Page) -> Locator:
    await _choose(page, "dev")
    return _book(page)


async def jason(page: Page) -> Locator:
    await _sign_in(page, "jason")
    return _way(page)


async def jason_again(page: Page) -> Locator:
    """He is signed in already."""
    if await page.get_by_text("Signed in as").count():
        await _open(page)
    else:
        await _sign_in(page, "jason")
    return _book(page)


async def timeout(page: Page) -> Locator:
    await _open(page)
    return _book(page)


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
}
