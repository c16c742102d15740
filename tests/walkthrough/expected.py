"""What a page says a command prints, compared with what it did print.

`…` stands for anything within a line, a line of nothing else for any number of lines, and `170…190` for a
number between these two. Columns may be wider or narrower than on the page, indentation may not.
"""

from __future__ import annotations

import re

_RANGE = re.compile(r"\d+…\d+")
_VARIES = re.compile(r"(?P<low>\d+)…(?P<high>\d+)|…")


def difference(expected: str, printed: str) -> str:
    """What is not as the page says, for people to read; empty when all is."""
    wanted = expected.rstrip("\n").split("\n")
    got = [line.rstrip() for line in printed.rstrip("\n").split("\n")]
    if _all_match(wanted, got):
        return ""
    return "The page says:\n" + _indented(wanted) + "\nIt printed:\n" + _indented(got)


def _all_match(wanted: list[str], got: list[str]) -> bool:
    if not wanted:
        return not got
    if wanted[0].strip() == "…":
        return any(_all_match(wanted[1:], got[skipped:]) for skipped in range(len(got) + 1))
    return bool(got) and line_matches(wanted[0].rstrip(), got[0]) and _all_match(wanted[1:], got[1:])


def line_matches(wanted: str, got: str) -> bool:
    """Whether one line is as the page says."""
    ranges: list[range] = []
    end = len(wanted) - len(wanted.lstrip())
    # Counts are set flush right, so the longer number stands further left.
    pattern = " *" if _RANGE.match(wanted, end) else wanted[:end]
    for varying in _VARIES.finditer(wanted):
        pattern += _literally(wanted[end : varying.start()])
        end = varying.end()
        if varying["low"] is None:
            pattern += ".*"
        else:
            ranges.append(range(int(varying["low"]), int(varying["high"]) + 1))
            pattern += r"(\d+)"
    pattern += _literally(wanted[end:])
    found = re.fullmatch(pattern, got)
    return found is not None and all(
        int(number) in allowed for number, allowed in zip(found.groups(), ranges, strict=True)
    )


def _literally(text: str) -> str:
    """This text, its columns as far apart as may be."""
    return " +".join(re.escape(part) for part in re.split(" +", text))


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
