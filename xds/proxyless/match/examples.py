"""Values worth trying where a matcher is to be met, or not to be.

Guesses all: whoever takes one tries it first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import re2

from ..members import member_of
from ..resources import HeaderMatch, PathMatch, PresentMatch, RangeMatch, StringMatch

_ATOM = re.compile(
    r"(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?P<inside>(?:\\.|[^()\\])*)\)|[^()*+?{\\\[])"
    r"(?P<times>[*+?]|\{\d+(?:,\d*)?\})?\??",
    re.DOTALL,
)
"""A piece of a regex without groups inside, and how often it stands there."""
_GROUP_OPTIONS = re.compile(r"\?(?:P?<\w+>|[imsU-]*:|[imsU-]+$)")
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_QUIETLY = re2.Options()
_QUIETLY.log_errors = False
_LETTERS = "x0-_.:/=,; " + "".join(map(chr, range(0x21, 0x7F)))


def header_examples(matches: Sequence[HeaderMatch], current: str | None) -> Iterator[str | None]:
    """Yield values for one header that some of these matchers may want, then such as they may not.

    None is a header that is not there. Of a list that the header is now, the other members are kept first.
    """
    texts = [match.test for match in matches if isinstance(match.test, StringMatch)]
    parts = [text.value for how in ("prefix", "contains", "suffix") for text in texts if text.how == how]
    members = [member for text in texts if text.how == "regex" and (member := member_of(text.value))]
    if current is not None:
        for member in members:
            yield ",".join([*_others(current, member.key), f"{member.key}={member.value}"])
    yield from dict.fromkeys(each for text in texts for each in _texts(text))
    if len(parts) > 1:
        yield "".join(parts)
    for match in matches:
        if isinstance(match.test, RangeMatch):
            yield from map(str, (match.test.start, match.test.end - 1, match.test.end, match.test.start - 1))
        elif isinstance(match.test, PresentMatch):
            yield "x"
    if current is not None:
        for member in members:
            yield ",".join(_others(current, member.key)) or None
    yield None
    yield ""
    yield from (f"not-{text.value}" for text in texts if text.how != "regex")
    yield from (f"{text.value}-not" for text in texts if text.how != "regex")
    yield from ("x", "0")


def _others(current: str, key: str) -> list[str]:
    """The members of a list that have another key."""
    return [each for each in current.split(",") if each.partition("=")[0].strip(" \t") != key]


def path_examples(match: PathMatch) -> Iterator[str]:
    """Yield paths that the matcher may want."""
    how = "prefix" if match.how == "path_separated_prefix" else match.how
    for text in _texts(StringMatch(how, match.value)):
        yield text
        if how == "prefix":
            yield from (f"{text}{rest}" for rest in ("/x", "x", "Service/Method"))


def _texts(match: StringMatch) -> Iterator[str]:
    if match.how != "regex":
        yield match.value
    elif (example := regex_example(match.value)) is not None:
        yield example


def regex_example(pattern: str) -> str | None:
    """A text that an RE2 pattern matches as a whole, where a simple one is easily found.

    It is what is left where everything that may be absent is left out, of alternatives the first is taken,
    and each set of characters gives one.
    """
    rest, before = pattern, ""
    try:
        while rest != before:
            before, rest = rest, _ATOM.sub(_reduced, rest)
        text = "".join(_letter(token) for token in _TOKEN.findall(_first_alternative(rest)))
        return text if re2.compile(pattern, _QUIETLY).fullmatch(text) else None
    except re2.error:
        return None


def _reduced(found: re.Match[str]) -> str:
    atom, times, inside = found["atom"], found["times"] or "", found["inside"]
    least = 1 if times in ("", "+") else 0 if times in ("*", "?") else int(re.findall(r"\d+", times)[0])
    if inside is not None:
        atom = _first_alternative(_GROUP_OPTIONS.sub("", inside, count=1) if inside[:1] == "?" else inside)
    return atom * min(least, 64)


def _first_alternative(pattern: str) -> str:
    taken = []
    for token in _TOKEN.findall(pattern):
        if token == "|":
            break
        taken.append(token)
    return "".join(taken)


def _letter(token: str) -> str:
    """A character that a piece of a regex stands for; none for an anchor."""
    if len(token) == 1 and token not in ".^$":
        return token
    matches = re2.compile(token, _QUIETLY).fullmatch
    return next((letter for letter in _LETTERS if matches(letter)), "")
