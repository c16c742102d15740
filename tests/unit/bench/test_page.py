"""docs/performance.md is what the last whole run found, and nobody has typed into it."""

from __future__ import annotations

import re
from pathlib import Path

from bench.outcome import FILE, Outcome
from bench.report import NAME, page
from bench.rows.every import ROWS

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_made_of_the_rounds_beside_it() -> None:
    """`python -m bench report --from docs/performance/bench.json` writes it after a change to bench/page."""
    text = (DOCS / f"{NAME}.md").read_text(encoding="utf-8")
    assert text == page(Outcome.read(DOCS / NAME / FILE))


def test_every_plot_of_the_page_is_there_and_no_other() -> None:
    text = (DOCS / f"{NAME}.md").read_text(encoding="utf-8")
    shown = {DOCS / name for name in re.findall(r"!\[.*\]\((.+)\)", text)}
    assert shown == {*(DOCS / NAME).glob("*.svg")}


def test_a_command_of_the_page_measures_each_row() -> None:
    text = (DOCS / f"{NAME}.md").read_text(encoding="utf-8")
    assert re.findall(r"--only (\S+?)`?(?= |$)", text, re.MULTILINE) == [row.name for row in ROWS]
