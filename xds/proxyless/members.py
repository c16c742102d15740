"""The one form of regex that finds a member in a list such as W3C baggage, recognised so as to be indexed.

It is what traffic lanes are written in: a mesh with 10,000 lanes has 10,000 regexes on one header, which
differ in the member's value only. RE2 needs no part in them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LONGEST = 4096
"""Of a pattern; RE2 has a limit of its own, far above."""

_BLANKS = " \t"
_LITERAL = r"(?:[\w!#%&'`~@/-]|\\[\\.+*?()|\[\]{}^$])+"
_FORM = re.compile(
    re.escape(r"(?:[^,]*,)*[ \t]*")
    + f"({_LITERAL})"
    + re.escape(r"[ \t]*=[ \t]*")
    + f"({_LITERAL})"
    + re.escape(r"[ \t]*(?:;[^,]*)?(?:,[^,]*)*"),
    re.ASCII,
)


class Member(NamedTuple):
    """`key=value`, among others, with properties and blanks as https://www.w3.org/TR/baggage/ allows."""

    key: str
    value: str

    def stands_in(self, header: str) -> bool:
        """Whether a header's value has it: the same as a full match of its regex."""
        return self.value in values_of(self.key, header)


def member_of(pattern: str) -> Member | None:
    r"""Read `(?:[^,]*,)*[ \t]*KEY[ \t]*=[ \t]*VALUE[ \t]*(?:;[^,]*)?(?:,[^,]*)*`; None for any other."""
    found = _FORM.fullmatch(pattern) if len(pattern) <= _LONGEST else None
    return None if found is None else Member(_literal(found[1]), _literal(found[2]))


def values_of(key: str, header: str) -> list[str]:
    """Return the values a list has for a key, in order."""
    values = []
    for member in header.split(","):
        name, equals, rest = member.partition("=")
        if equals and name.strip(_BLANKS) == key:
            values.append(rest.partition(";")[0].strip(_BLANKS))
    return values


_ESCAPED = re.compile(r"\\(.)")


def _literal(escaped: str) -> str:
    return _ESCAPED.sub(r"\1", escaped) if "\\" in escaped else escaped
