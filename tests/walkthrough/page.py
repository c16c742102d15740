"""A page of docs/walkthrough as a test reads it: what is typed, what comes of it, which files it saves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "walkthrough"
KIND = PAGES / "kind.md"
"""The one page that is not about the mesh on this machine."""
NOT_RUN = "Not run by the test"
"""What the paragraph before a block begins with that only people type."""

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SAVE = re.compile(r"Save\s(?:this|it)\sas\s`(?P<name>[\w.-]+)`")
_PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<file>[^)]+)\)", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One block that is typed, and what it prints; `expected` is None where the page does not show it."""

    line: int
    script: str
    expected: str | None = None


@dataclass(frozen=True)
class SavedFile:
    """A file that the page has its reader save."""

    name: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture of the page, and what is said to whoever cannot see it."""

    alt: str
    file: str


def all_pages() -> list[Path]:
    """The pages, the index among them."""
    return sorted(PAGES.glob("*.md"))


def read(page: Path) -> str:
    """The page as it is written."""
    return page.read_text(encoding="utf-8")


def steps_of(text: str) -> list[Step | SavedFile | Picture]:
    """What is to be done with this page from top to bottom; ValueError for a block nobody would look at."""
    found: list[Step | SavedFile | Picture] = []
    end = 0
    for fence in _FENCE.finditer(text):
        said = text[end : fence.start()].strip()
        found += pictures_of(said)
        line = text.count("\n", 0, fence.start()) + 1
        end = fence.end()
        if said.rpartition("\n\n")[2].startswith(NOT_RUN):
            continue
        language, body = fence["language"], fence["text"]
        if save := _SAVE.search(said.rpartition("\n\n")[2]):
            found.append(SavedFile(save["name"], body))
        elif language == "sh":
            found.append(Step(line, body))
        elif language == "text" and not said and found and isinstance(found[-1], Step):
            before = found.pop()
            assert isinstance(before, Step)
            found.append(Step(before.line, before.script, body))
        else:
            raise ValueError(
                f"line {line}: a block of {language or 'nothing'} that is not run and not compared"
            )
    return found + list(pictures_of(text[end:]))


def pictures_of(text: str) -> list[Picture]:
    """The pictures the page shows."""
    return [Picture(found["alt"], found["file"]) for found in _PICTURE.finditer(text)]
