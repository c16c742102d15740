"""What the configuration does to a call's headers (Envoy's request_headers_to_add and its kin)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from .resources import HeaderEdits

Pairs: TypeAlias = tuple[tuple[str, str | bytes], ...]

_COMMAND = re.compile(r"%(?:REQ\(([^)]+)\))?%")


def edited(metadata: Pairs, levels: Iterable[HeaderEdits], request: Callable[[str], str | None]) -> Pairs:
    """Return the metadata after each level's edits; `request` looks a header of the call up."""
    pairs = list(metadata)
    for level in levels:
        removed = set(level.remove)
        pairs = [pair for pair in pairs if pair[0].lower() not in removed]
        for each in level.add:
            value = _expanded(each.value, request)
            if not value and not each.keep_empty:
                continue
            there = any(name.lower() == each.name for name, _ in pairs)
            if (each.how == "add_if_absent" and there) or (each.how == "overwrite_if_exists" and not there):
                continue
            if each.how.startswith("overwrite"):
                pairs = [pair for pair in pairs if pair[0].lower() != each.name]
            pairs.append((each.name, value.encode() if each.name.endswith("-bin") else value))
    return tuple(pairs)


def _expanded(value: str, request: Callable[[str], str | None]) -> str:
    """Put a header of the call in the place of `%REQ(name)%`, a percent sign in that of `%%`."""
    if "%" not in value:
        return value
    return _COMMAND.sub(lambda found: "%" if found[1] is None else request(found[1].lower()) or "", value)
