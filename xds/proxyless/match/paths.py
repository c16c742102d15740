"""Path matchers: a gRPC call's path is `/package.Service/Method`, an HTTP request's has no query here."""

from __future__ import annotations

from ..resources import PathMatch, StringMatch
from .strings import StringTest, compile_string


def compile_path(match: PathMatch) -> StringTest:
    """Compile the path specifier of a route."""
    if match.how != "path_separated_prefix":
        return compile_string(StringMatch(match.how, match.value, match.ignore_case))
    whole = compile_string(StringMatch("exact", match.value, match.ignore_case))
    below = compile_string(StringMatch("prefix", match.value + "/", match.ignore_case))
    return lambda path: whole(path) or below(path)
