"""Times as kubectl takes them on the command line."""

from __future__ import annotations

import re

import click

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """A time as kubectl takes it, in seconds: `10s`, `500ms`, `2m`, `8h`; a number alone is seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration; write 500ms, 10s, 2m or 8h.")
    return float(match[1]) * _SECONDS[match[2]]
