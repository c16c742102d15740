"""`python -m tests.walkthrough` types every page that shows pictures, and takes each where it is shown."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser

from mesh import Mesh
from tests.browser.conftest import CHROMIUM, launched
from tests.walkthrough.page import PAGES, Picture, SavedFile, all_pages, pictures_of, read, steps_of
from tests.walkthrough.scenes import SCENES, take
from tests.walkthrough.shell import shell_beside


async def main(names: list[str]) -> int:
    """Take the pictures of these pages, or of all; returns the exit status."""
    if not CHROMIUM.exists():
        sys.stderr.write(f"{CHROMIUM} is not there: apt-get install chromium\n")
        return 2
    async with launched() as browser:
        for page in all_pages():
            text = read(page)
            if pictures_of(text) and (not names or page.stem in names):
                await illustrate(text, browser)
    return 0


async def illustrate(text: str, browser: Browser) -> None:
    """Type a page, in a mesh and with a visitor of its own, and take its pictures on the way."""
    with tempfile.TemporaryDirectory(prefix="mesh-pictures-") as folder:
        async with (
            Mesh(state=Path(folder) / "state", port=0, xds_port=0, admin_port=0, console=True) as mesh,
            shell_beside(mesh, Path(folder) / "checkout") as prompt,
        ):
            context = await browser.new_context(
                base_url=mesh.url,
                color_scheme="light",
                reduced_motion="reduce",
            )
            visitor = await context.new_page()
            for step in steps_of(text):
                if isinstance(step, Picture):
                    keep(PAGES / step.file, await take(visitor, SCENES[Path(step.file).stem]))
                elif isinstance(step, SavedFile):
                    prompt.save(step.name, step.text)
                elif (typed := await prompt.type(step.script)).failed:
                    raise RuntimeError(f"line {step.line}: failed: {typed.failed}\n{typed.printed}")
            await context.close()


def keep(file: Path, picture: bytes) -> None:
    """Write a picture where the page looks for it, and say so."""
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(picture)
    sys.stderr.write(f"{file.name}: {len(picture)} bytes\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.walkthrough", description=__doc__)
    parser.add_argument("page", nargs="*", help="a page's name without .md; all if none is given")
    sys.exit(asyncio.run(main(parser.parse_args().page)))
