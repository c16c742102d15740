"""What the configuration does to a call's headers (Envoy's request_headers_to_add and its kin)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from .resources import HeaderEdits

Pairs: TypeAlias = tuple[tuple[str, str | bytes], ...]
Lookup: TypeAlias = Callable[[str], str | None]

_COMMAND = re.compile(r"%(?:(REQ|RESP)\(([^()?]+)(?:\?([^()]+))?\)(?::([0-9]+))?)?%")
_NOT_METADATA = ("content-type", "host")
"""What a request has although it is not among its metadata, besides the pseudo headers."""


def edited(metadata: Pairs, levels: Iterable[HeaderEdits], request: Lookup) -> Pairs:
    """Return a request's metadata after each level's edits; `request` looks a header of the call up.

    `%REQ()%` is a header as it is by then: after the levels before, and after what this one removes.
    """
    pairs = list(metadata)
    for level in levels:
        pairs = _edited(pairs, level, lambda kept: (_of_request(kept, request), _nothing))
    return tuple(pairs)


def edited_answer(metadata: Pairs, levels: Iterable[HeaderEdits], request: Lookup) -> Pairs:
    """Return a response's metadata after each level's edits; `%REQ()%` is as the caller made the call."""
    pairs = list(metadata)
    for level in levels:
        pairs = _edited(pairs, level, lambda kept: (request, _first_of(kept)))
    return tuple(pairs)


def _edited(
    pairs: list[tuple[str, str | bytes]],
    level: HeaderEdits,
    lookups: Callable[[list[tuple[str, str | bytes]]], tuple[Lookup, Lookup]],
) -> list[tuple[str, str | bytes]]:
    """Apply one level in Envoy's order: what it removes, what it overwrites, what it adds.

    Whether a header is there is asked once the first is done, and before the others are.
    """
    removed = set(level.remove)
    kept = [pair for pair in pairs if pair[0].lower() not in removed]
    there = {name.lower() for name, _ in kept}
    request, response = lookups(kept)
    overwritten: dict[str, str | bytes] = {}
    added: list[tuple[str, str | bytes]] = []
    for each in level.add:
        value = _expanded(each.value, request, response)
        if not value and not each.keep_empty:
            continue
        raw = value.encode() if each.name.endswith("-bin") else value
        if each.how == "append" or (each.how == "add_if_absent" and each.name not in there):
            added.append((each.name, raw))
        elif each.how == "overwrite" or (each.how == "overwrite_if_exists" and each.name in there):
            overwritten[each.name] = raw
    return [*(pair for pair in kept if pair[0].lower() not in overwritten), *overwritten.items(), *added]


def _expanded(value: str, request: Lookup, response: Lookup) -> str:
    """Put headers in the place of `%REQ(name?other):length%` and `%RESP()%`, and `%` in that of `%%`."""
    if "%" not in value:
        return value

    def replaced(found: re.Match[str]) -> str:
        command, name, other, length = found.groups()
        if command is None:
            return "%"
        look_up = request if command == "REQ" else response
        text = look_up(name.lower())
        if text is None and other is not None:
            text = look_up(other.lower())
        return (text or "")[: int(length) if length else None]

    return _COMMAND.sub(replaced, value)


def _first_of(pairs: list[tuple[str, str | bytes]]) -> Lookup:
    """Look the first value of a header up, as Envoy's formatter does."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(value, str):
            found.setdefault(name.lower(), value)
    return found.get


def _of_request(pairs: list[tuple[str, str | bytes]], request: Lookup) -> Lookup:
    given = _first_of(pairs)

    def look_up(name: str) -> str | None:
        value = given(name)
        if value is None and (name.startswith(":") or name in _NOT_METADATA):
            return request(name)
        return value

    return look_up


def _nothing(name: str) -> str | None:
    """There is no response yet."""
    return None
