"""String matchers as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import re2

from ..members import member_of
from ..resources import StringMatch

StringTest: TypeAlias = Callable[[str], bool]


def compile_regex(pattern: str) -> StringTest:
    """Compile an RE2 pattern that must match the whole value (Envoy: `safe_regex` is anchored)."""
    member = member_of(pattern)
    if member is not None:
        return member.stands_in
    fullmatch = re2.compile(pattern).fullmatch
    return lambda value: fullmatch(value) is not None


def compile_string(match: StringMatch) -> StringTest:
    """Compile a StringMatch; `ignore_case` folds ASCII and has no effect on a regex, as in Envoy."""
    wanted = match.value
    if match.how == "regex":
        return compile_regex(wanted)
    if not match.ignore_case:
        return _plain(match.how, wanted)
    inner = _plain(match.how, _fold(wanted))
    return lambda value: inner(_fold(value))


def _plain(how: str, wanted: str) -> StringTest:
    if how == "exact":
        return lambda value: value == wanted
    if how == "prefix":
        return lambda value: value.startswith(wanted)
    if how == "suffix":
        return lambda value: value.endswith(wanted)
    return lambda value: wanted in value


_UPPER_TO_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _fold(value: str) -> str:
    return value.translate(_UPPER_TO_LOWER)
