"""The recipes of `docs/cookbook.md`, taken from the page as they stand."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """What stands below a heading, up to the next."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the page has no recipe {title!r}"
    return found[1]


def titles() -> list[str]:
    """Every recipe of the page."""
    return re.findall(r"^## (.+)$", PAGE, re.MULTILINE)


def block(title: str, language: str = "python", number: int = 0) -> str:
    """One of a recipe's fenced blocks, the first unless said otherwise."""
    found = [text for name, text in _FENCED.findall(section(title)) if name == language]
    assert len(found) > number, f"{title!r} has {len(found)} blocks of {language}"
    return found[number]


def without(program: str, old: str, new: str = "") -> str:
    """The program less something that stands in it once."""
    assert program.count(old) == 1, f"{old!r} stands {program.count(old)} times in the recipe"
    return program.replace(old, new)
