"""Header mutation of every level: route configuration, virtual host, route, weighted cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from ..errors import ResourceError
from ..resources import NO_EDITS, HeaderEdit, HeaderEdits, MessageEdits
from .support import Notes, check_fields

_How = Literal["append", "add_if_absent", "overwrite", "overwrite_if_exists"]
_ACTIONS: Mapping[int, _How] = {
    0: "append",
    1: "add_if_absent",
    2: "overwrite",
    3: "overwrite_if_exists",
}
_NAME = re.compile(r"[0-9a-z_.-]+")
_FORBIDDEN = re.compile(r"[\0\r\n]")
_SENDABLE = re.compile(r"[ -~]*")
_HEADER = r"[0-9A-Za-z_.:-]+"
_ARGUMENTS = rf"\({_HEADER}(?:\?{_HEADER})?\)(?::[0-9]{{1,9}})?"
_KNOWN = {
    "request": re.compile(rf"(?:[^%]|%%|%REQ{_ARGUMENTS}%)*"),
    "response": re.compile(rf"(?:[^%]|%%|%(?:REQ|RESP){_ARGUMENTS}%)*"),
}


def parse_edits(message: Any, where: str, notes: Notes) -> MessageEdits:
    """Return what a level does to the headers of requests and of responses."""
    at = f"{where}." if where else ""
    request = _parse(message, "request", at, notes)
    response = _parse(message, "response", at, notes)
    return MessageEdits(request, response) if request or response else NO_EDITS


def _parse(message: Any, which: str, at: str, notes: Notes) -> HeaderEdits:
    removed = []
    for i, name in enumerate(getattr(message, f"{which}_headers_to_remove")):
        place = f"{at}{which}_headers_to_remove[{i}]"
        if _is_editable(name, place, notes):
            removed.append(name.lower())
    added = []
    for i, option in enumerate(getattr(message, f"{which}_headers_to_add")):
        place = f"{at}{which}_headers_to_add[{i}]"
        made = _parse_option(option, which, place, notes)
        if made is not None:
            added.append(made)
    return HeaderEdits(tuple(removed), tuple(added))


def _parse_option(option: Any, which: str, where: str, notes: Notes) -> HeaderEdit | None:
    check_fields(option, where, notes)
    check_fields(option.header, f"{where}.header", notes)
    if not _is_editable(option.header.key, f"{where}.header.key", notes):
        return None
    how = _ACTIONS.get(option.append_action)
    if how is None:
        raise ResourceError(f"{where}.append_action", f"{option.append_action} is not a known action")
    if option.HasField("append") and option.append_action:
        raise ResourceError(f"{where}.append", "cannot go with append_action")
    if option.HasField("append"):
        how = "append" if option.append.value else "overwrite"
    value = option.header.value
    if _FORBIDDEN.search(value):
        raise ResourceError(f"{where}.header.value", f"{value!r} would end the header")
    if not option.header.key.lower().endswith("-bin") and not _SENDABLE.fullmatch(value):
        notes.add(f"{where}.header.value", f"{value!r} has no effect here: gRPC sends printable ASCII only")
        return None
    if not _KNOWN[which].fullmatch(value):
        known = "%REQ()%" if which == "request" else "%REQ()% and %RESP()%"
        notes.add(
            f"{where}.header.value", f"{value!r} has no effect here: of commands, only {known} is known"
        )
        return None
    return HeaderEdit(how, option.header.key.lower(), value, option.keep_empty_value)


def _is_editable(name: str, where: str, notes: Notes) -> bool:
    """Whether metadata may have this name; what steers the call itself is left alone, and noted."""
    lowered = name.lower()
    if lowered.startswith((":", "grpc-")) or lowered == "host":
        notes.add(where, f"{name!r} has no effect here: it is gRPC's own")
        return False
    if not _NAME.fullmatch(lowered):
        raise ResourceError(where, f"{name!r} is not a header name")
    return True
