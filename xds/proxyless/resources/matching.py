"""What a request has to look like for a route to take it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class StringMatch(Struct, frozen=True, gc=False):
    """envoy.type.matcher.v3.StringMatcher."""

    how: Literal["exact", "prefix", "suffix", "contains", "regex"]
    value: str
    ignore_case: bool = False


class RangeMatch(Struct, frozen=True, gc=False):
    """A header value as a base-10 integer in `[start, end)`."""

    start: int
    end: int


class PresentMatch(Struct, frozen=True, gc=False):
    """Whether a header is there at all."""

    present: bool


class HeaderMatch(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.HeaderMatcher."""

    name: str
    test: StringMatch | RangeMatch | PresentMatch
    invert: bool = False
    treat_missing_as_empty: bool = False


class QueryMatch(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.QueryParameterMatcher: a parameter's first value, as it stands in the URL."""

    name: str
    test: StringMatch | PresentMatch = PresentMatch(True)


class PathMatch(Struct, frozen=True, gc=False):
    """The path specifier of envoy.config.route.v3.RouteMatch."""

    how: Literal["prefix", "exact", "regex", "path_separated_prefix"]
    value: str
    ignore_case: bool = False


class Fraction(Struct, frozen=True, gc=False):
    """envoy.type.v3.FractionalPercent."""

    numerator: int
    denominator: int = 100


EVERY_CALL = Fraction(100)


class RouteMatch(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.RouteMatch."""

    path: PathMatch
    headers: tuple[HeaderMatch, ...] = ()
    fraction: Fraction | None = None
    query: tuple[QueryMatch, ...] = ()
    """No gRPC call matches a route that has any: it has no query (gRFC A28)."""
    grpc: bool = False
    """Only gRPC calls match."""
