"""Matchers of a route. What is not understood here never widens a route: it refuses the resource."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..errors import ResourceError
from ..resources import (
    HeaderMatch,
    PathMatch,
    PresentMatch,
    QueryMatch,
    RangeMatch,
    RouteMatch,
    StringMatch,
)
from .scalars import fraction, regex
from .support import Notes, check_fields, one_of

_PATHS = ("prefix", "path", "safe_regex", "path_separated_prefix")
_TESTS = (
    "exact_match",
    "safe_regex_match",
    "range_match",
    "present_match",
    "prefix_match",
    "suffix_match",
    "contains_match",
    "string_match",
)
_STRINGS = ("exact", "prefix", "suffix", "contains", "safe_regex")


def parse_match(message: Any, where: str, notes: Notes) -> RouteMatch:
    """Validate a RouteMatch (gRFC A28)."""
    check_fields(message, where, notes)
    headers = tuple(
        parse_header(each, f"{where}.headers[{i}]", notes) for i, each in enumerate(message.headers)
    )
    share = None
    if message.HasField("runtime_fraction"):
        at = f"{where}.runtime_fraction.default_value"
        if not message.runtime_fraction.HasField("default_value"):
            raise ResourceError(at, "is missing")
        share = fraction(message.runtime_fraction.default_value, at)
    if message.query_parameters:
        notes.add(f"{where}.query_parameters", "no gRPC call takes this route: it has no query")
    query = tuple(
        _parse_query(each, f"{where}.query_parameters[{i}]", notes)
        for i, each in enumerate(message.query_parameters)
    )
    return RouteMatch(_parse_path(message, where), headers, share, query, message.HasField("grpc"))


_path = lru_cache(PathMatch)
"""Thousands of routes have a few paths between them: these are shared."""


def _parse_path(message: Any, where: str) -> PathMatch:
    which = one_of(message, "path_specifier", where, _PATHS)
    folded = message.HasField("case_sensitive") and not message.case_sensitive.value
    if which == "safe_regex":
        return _path("regex", regex(message.safe_regex, f"{where}.safe_regex"))
    if which == "path":
        return _path("exact", message.path, folded)
    if which == "prefix":
        return _path("prefix", message.prefix, folded)
    value = message.path_separated_prefix
    if not value or value.endswith("/") or "?" in value or "#" in value:
        raise ResourceError(
            f"{where}.path_separated_prefix", f"{value!r} may not end in `/`, nor hold ? or #"
        )
    return _path("path_separated_prefix", value, folded)


def _parse_query(message: Any, where: str, notes: Notes) -> QueryMatch:
    check_fields(message, where, notes)
    if not message.name:
        raise ResourceError(f"{where}.name", "is empty")
    which = message.WhichOneof("query_parameter_match_specifier")
    if which == "string_match":
        return QueryMatch(message.name, _parse_string(message.string_match, f"{where}.string_match", notes))
    # With nothing said, it has to be there (Envoy).
    return QueryMatch(message.name, PresentMatch(which is None or message.present_match))


def parse_header(message: Any, where: str, notes: Notes) -> HeaderMatch:
    """Validate a HeaderMatcher."""
    check_fields(message, where, notes)
    if not message.name:
        raise ResourceError(f"{where}.name", "is empty")
    which = one_of(message, "header_match_specifier", where, _TESTS)
    test: StringMatch | RangeMatch | PresentMatch
    if which == "range_match":
        test = RangeMatch(message.range_match.start, message.range_match.end)
        if test.start > test.end:
            raise ResourceError(f"{where}.range_match", f"start {test.start} lies above end {test.end}")
    elif which == "present_match":
        test = PresentMatch(message.present_match)
    elif which == "string_match":
        test = _parse_string(message.string_match, f"{where}.string_match", notes)
    elif which == "safe_regex_match":
        test = StringMatch("regex", regex(message.safe_regex_match, f"{where}.safe_regex_match"))
    elif which == "exact_match":
        test = StringMatch("exact", message.exact_match)
    elif which == "prefix_match":
        test = StringMatch("prefix", _filled(message.prefix_match, f"{where}.prefix_match"))
    elif which == "suffix_match":
        test = StringMatch("suffix", _filled(message.suffix_match, f"{where}.suffix_match"))
    else:
        test = StringMatch("contains", _filled(message.contains_match, f"{where}.contains_match"))
    return HeaderMatch(
        message.name.lower(), test, message.invert_match, message.treat_missing_header_as_empty
    )


def _parse_string(message: Any, where: str, notes: Notes) -> StringMatch:
    check_fields(message, where, notes)
    which = one_of(message, "match_pattern", where, _STRINGS)
    if which == "safe_regex":
        return StringMatch("regex", regex(message.safe_regex, f"{where}.safe_regex"))
    if which == "exact":
        return StringMatch("exact", message.exact, message.ignore_case)
    value = _filled(getattr(message, which), f"{where}.{which}")
    if which == "prefix":
        return StringMatch("prefix", value, message.ignore_case)
    if which == "suffix":
        return StringMatch("suffix", value, message.ignore_case)
    return StringMatch("contains", value, message.ignore_case)


def _filled(value: str, where: str) -> str:
    """An empty prefix, suffix or infix would match everything (Envoy: min_len 1)."""
    if not value:
        raise ResourceError(where, "is empty")
    return value
