"""How a page is read and compared: what would let a wrong page pass does not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.walkthrough.expected import difference, line_matches
from tests.walkthrough.page import PAGES, Picture, SavedFile, Step, all_pages, pictures_of, read, steps_of

LARGEST = 100_000
"""Bytes of a picture: they are in the repository."""


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("acknowledged in … ms: a, b", "acknowledged in 17 ms: a, b"),
        ("   160…190 v1", "   171 v1"),
        ("a  b", "a      b"),
        ("  → ratings v1", "  → ratings v1"),
        ("[a-z]*(x) …", "[a-z]*(x) anything"),
    ],
)
def test_a_line_as_the_page_says(wanted: str, got: str) -> None:
    assert line_matches(wanted, got)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("acknowledged in … ms: a, b", "acknowledged in 17 ms: a"),
        ("160…190 v1", "191 v1"),
        ("160…190 v1", "-170 v1"),
        ("  → ratings v1", "    → ratings v1"),
        ("a b", "ab"),
        ("…", "two\nlines"),
        ("a.b", "axb"),
    ],
)
def test_a_line_that_is_not(wanted: str, got: str) -> None:
    assert not line_matches(wanted, got)


def test_a_line_of_dots_stands_for_any_number_of_lines() -> None:
    assert not difference("a\n…\nb\n", "a\nb\n")
    assert not difference("a\n…\nb\n", "a\nx\ny\nb\n")
    assert "It printed:\n    a\n    b\n    c" in difference("a\n…\nb\n", "a\nb\nc\n")
    assert difference("a\n", "a\nb\n")
    assert difference("a\nb\n", "a\n")


def test_a_page_is_read_from_top_to_bottom() -> None:
    text = (
        "Do:\n\n```sh\none\n```\n\n```text\n1\n```\n\nSave this as `a.py`:\n\n```python\nx = 1\n```\n\n"
        "Not run by the test, for it needs Docker:\n\n```sh\nmake kind-up\n```\n\n```sh\ntwo\n```\n"
    )
    assert steps_of(text) == [Step(3, "one\n", "1\n"), SavedFile("a.py", "x = 1\n"), Step(23, "two\n")]


@pytest.mark.parametrize("block", ["```yaml\na: b\n```", "```text\n1\n```", "```\nwhat is this\n```"])
def test_a_block_nobody_would_look_at_is_an_error(block: str) -> None:
    with pytest.raises(ValueError, match="line 3: a block"):
        steps_of(f"Words.\n\n{block}\n")


def test_what_is_shown_apart_from_its_command_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 7: a block of text"):
        steps_of("```sh\none\n```\n\nWords between.\n\n```text\n1\n```\n")


def test_every_picture_is_there_small_named_and_described() -> None:
    shown = [picture for page in all_pages() for picture in pictures_of(read(page))]
    there = {f"pictures/{path.name}" for path in (PAGES / "pictures").iterdir()}
    assert {picture.file for picture in shown} == there
    for picture in shown:
        assert len(picture.alt.split()) >= 8, f"{picture.file}: the words say too little to stand in for it"
        data = (PAGES / picture.file).read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", data[16:24])
        assert min(width, height) > 100
        assert len(data) < LARGEST, picture.file
    assert pictures_of("![what\nis seen](pictures/a.png)") == [Picture("what\nis seen", "pictures/a.png")]


def test_every_page_is_in_the_index_and_links_lead_somewhere() -> None:
    index = read(PAGES / "README.md")
    for page in all_pages():
        assert page.name == "README.md" or f"]({page.name})" in index, page.name
        for link in links_of(page):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def links_of(page: Path) -> list[str]:
    """Files of this repository that the page leads to."""
    targets = [part.partition(")")[0] for part in read(page).split("](")[1:]]
    return [target.partition("#")[0] for target in targets if not target.startswith(("http", "#"))]
