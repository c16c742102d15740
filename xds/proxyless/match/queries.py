"""Matchers of the query parameters of an HTTP request, and of what is gRPC."""

from __future__ import annotations

from ..resources import PresentMatch, QueryMatch
from .headers import CallHeaders, HeaderTest
from .strings import compile_string


def compile_query(match: QueryMatch) -> HeaderTest:
    """Compile a QueryParameterMatcher; a gRPC call, which has no query, fails every one (gRFC A28)."""
    name = match.name
    if isinstance(match.test, PresentMatch):
        wanted = match.test.present
        return lambda call: call.query is not None and (name in call.query) == wanted
    test = compile_string(match.test)

    def matches(call: CallHeaders) -> bool:
        value = None if call.query is None else call.query.get(name)
        return value is not None and test(value)

    return matches


def is_grpc(call: CallHeaders) -> bool:
    """Whether a call satisfies the `grpc` matcher of a route."""
    return call.is_grpc


def why_not_query(match: QueryMatch, call: CallHeaders) -> str:
    """Say why a call fails a QueryParameterMatcher."""
    if call.query is None:
        return "it asks for query parameters, which a gRPC call never has"
    if isinstance(match.test, PresentMatch):
        return f"query parameter {match.name!r} {'is missing' if match.test.present else 'is there'}"
    return f"{describe_query(match)}: {found_parameter(call, match.name)}"


def describe_query(match: QueryMatch) -> str:
    """Say what a QueryParameterMatcher asks for, in one line."""
    test = match.test
    if isinstance(test, PresentMatch):
        return f"query parameter {match.name!r} {'present' if test.present else 'absent'}"
    return f"query parameter {match.name!r} {test.how} {test.value!r}"


def found_parameter(call: CallHeaders, name: str) -> str:
    """What a call has as a query parameter, in words."""
    value = None if call.query is None else call.query.get(name)
    return "it is missing" if value is None else f"it is {value!r}"
