"""Istio's match to Envoy's RouteMatch."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2 as pb
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf.wrappers_pb2 import BoolValue

from controlplane.objects import HttpMatch
from controlplane.stringmatch import StringMatch


def build_match(match: HttpMatch | None) -> pb.RouteMatch:
    """The match of a route; None takes every call."""
    if match is None:
        return pb.RouteMatch(prefix="/")
    headers = [_header(name, value) for name, value in match.headers]
    headers += [_without(name, value) for name, value in match.without_headers]
    headers.sort(key=lambda header: str(header.name))
    for name, value in (
        (":method", match.method),
        (":authority", match.authority),
        (":scheme", match.scheme),
    ):
        if value is not None:
            headers.append(_header(name, value))
    found = _path(match.uri)
    found.headers.extend(headers)
    found.query_parameters.extend(_query(name, value) for name, value in sorted(match.query))
    found.case_sensitive.CopyFrom(BoolValue(value=not match.ignore_uri_case))
    return found


def is_catch_all(match: pb.RouteMatch) -> bool:
    """Whether no call gets past this match; Istiod leaves out what would come behind it."""
    every_path = match.prefix == "/" or match.safe_regex.regex == ".*"
    return every_path and not match.headers and not match.query_parameters


def _path(uri: StringMatch | None) -> pb.RouteMatch:
    if uri is None or uri.kind == "present":
        return pb.RouteMatch(prefix="/")
    if uri.kind == "exact":
        return pb.RouteMatch(path=uri.value)
    if uri.kind == "prefix":
        return pb.RouteMatch(prefix=uri.value)
    return pb.RouteMatch(safe_regex=regex_pb2.RegexMatcher(regex=uri.value))


def _query(name: str, value: StringMatch) -> pb.QueryParameterMatcher:
    if _is_presence(value):
        return pb.QueryParameterMatcher(name=name, present_match=True)
    return pb.QueryParameterMatcher(name=name, string_match=string_matcher(value))


def _is_presence(value: StringMatch) -> bool:
    # `*` is no RE2: it is Istio's own spelling of "it is there".
    return value.kind == "present" or (value.kind == "regex" and value.value == "*")


def _header(name: str, value: StringMatch) -> pb.HeaderMatcher:
    if value.kind == "present":
        return pb.HeaderMatcher(name=name, present_match=True)
    return pb.HeaderMatcher(name=name, string_match=string_matcher(value))


def _without(name: str, value: StringMatch) -> pb.HeaderMatcher:
    header = _header(name, value)
    header.invert_match = True
    # A call without the header must pass "not this value"; for presence that is what inverting says already.
    header.treat_missing_header_as_empty = value.kind != "present"
    return header


def string_matcher(value: StringMatch) -> string_pb2.StringMatcher:
    """A comparison other than for presence."""
    if value.kind == "exact":
        return string_pb2.StringMatcher(exact=value.value)
    if value.kind == "prefix":
        return string_pb2.StringMatcher(prefix=value.value)
    return string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=value.value))
