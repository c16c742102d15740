"""Replacing what a pattern matches (envoy.type.matcher.v3.RegexMatchAndSubstitute)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import re2

_GROUP = re.compile(r"\\([0-9\\])")


@lru_cache(maxsize=256)
def substituting(pattern: str, substitution: str) -> Callable[[str], str]:
    """Return what replaces each match of an RE2 pattern; \\0 to \\9 in `substitution` are its groups."""
    compiled = re2.compile(pattern)

    def replacement(match: re.Match[str]) -> str:
        def group(found: re.Match[str]) -> str:
            return "\\" if found[1] == "\\" else match[int(found[1])] or ""

        return _GROUP.sub(group, substitution)

    return lambda value: str(compiled.sub(replacement, value))
