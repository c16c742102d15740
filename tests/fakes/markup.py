"""What a page of ours is made of, and what in it can only have come from somebody else."""

from __future__ import annotations

from html.parser import HTMLParser

COMPUTED = str(7777 * 7777)
"""What a template would make of {{7777*7777}}."""
_LINKS = ("/", "#", "http://localhost", "http://127.0.0.1")
_NEVER = {"iframe", "object", "embed", "base", "style", "u", "marquee"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            link = name in ("href", "src", "action", "formaction")
            given = value or ""
            ours = given.startswith(_LINKS) and not given.startswith("//")
            if name.startswith("on") or name == "style" or (link and not ours):
                self.foreign.append(f"<{tag} {name}={value!r}>")
        if tag in _NEVER or (tag == "script" and "src" not in dict(attrs)):
            self.foreign.append(f"<{tag}>")

    def handle_data(self, data: str) -> None:
        if COMPUTED in data:
            self.foreign.append(data)


def foreign_markup(html: str) -> list[str]:
    """Scripts, handlers, styles and links that none of our templates has."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.foreign
