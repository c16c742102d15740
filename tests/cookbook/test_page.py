"""The page as a whole: nothing on it that no test runs, and nothing that leads nowhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.cookbook.page import PAGE, ROOT, section, titles

TESTS = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("title", titles())
def test_every_recipe_has_its_test(title: str) -> None:
    assert f'"{title}"' in TESTS


def test_every_program_can_be_read() -> None:
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(programs) == sum(section(title).count("```python") for title in titles()) > 8
    for program in programs:
        ast.parse(program)


@pytest.mark.parametrize("page", ["README.md", "xds/README.md"])
def test_the_page_is_found_from_where_one_starts(page: str) -> None:
    file = ROOT / page
    links = re.findall(r"\]\(([^)#]*cookbook\.md)\)", file.read_text(encoding="utf-8"))
    assert links and all((file.parent / link).resolve() == ROOT / "docs" / "cookbook.md" for link in links)
