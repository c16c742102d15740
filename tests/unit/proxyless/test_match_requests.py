"""What an HTTP request offers to the matchers, and those that only it can satisfy."""

from __future__ import annotations

from typing import Any

import pytest
from proxyless.match import CallHeaders, RequestHeaders, RouteTable
from proxyless.resources import (
    ClusterAction,
    PathMatch,
    PresentMatch,
    QueryMatch,
    Route,
    RouteMatch,
    StringMatch,
    VirtualHost,
    WeightedCluster,
)

TARGET = "/api/v1?x=1&x=2&y=&z&%41=%42&e=a=b#x=3"
REQUEST = RequestHeaders("GET", TARGET, "shop:80", [("Lane", "a"), ("lane", b"b"), ("t-bin", "AA")], "https")
GRPC = RequestHeaders("POST", "/s/m?x=1", "shop", [("Content-Type", "application/grpc+proto")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (":method", "GET"),
        (":path", TARGET),
        (":authority", "shop:80"),
        (":scheme", "https"),
        ("lane", "a,b"),
        ("t-bin", "AA"),
        ("content-type", None),
    ],
)
def test_what_a_request_offers(name: str, value: str | None) -> None:
    assert REQUEST.get(name) == value


@pytest.mark.parametrize(
    ("target", "path"), [("/a", "/a"), ("/a?b", "/a"), ("/a#b?c", "/a"), ("/a?b#c", "/a"), ("", "")]
)
def test_a_path_has_no_query(target: str, path: str) -> None:
    assert RequestHeaders("GET", target, "a").path == path


def table(match: RouteMatch) -> RouteTable:
    return RouteTable(VirtualHost("v", ("*",), (Route(match, ClusterAction((WeightedCluster("c", 1),))),)))


def why(match: RouteMatch, call: CallHeaders) -> str:
    (step,) = table(match).explain(call, lambda _: 0)
    assert bool(list(table(match).matches(call, lambda _: 0))) is step.matched
    return step.reason


ALL = PathMatch("prefix", "")


@pytest.mark.parametrize(
    ("name", "test", "reason"),
    [
        ("x", PresentMatch(True), "matches"),
        ("x", PresentMatch(False), "query parameter 'x' is there"),
        ("q", PresentMatch(True), "query parameter 'q' is missing"),
        ("q", PresentMatch(False), "matches"),
        ("z", PresentMatch(True), "matches"),
        ("X", PresentMatch(True), "query parameter 'X' is missing"),  # names have a case
        ("x", StringMatch("exact", "1"), "matches"),  # the first of them
        ("x", StringMatch("exact", "2"), "query parameter 'x' exact '2': it is '1'"),
        ("q", StringMatch("prefix", "a"), "query parameter 'q' prefix 'a': it is missing"),
        ("y", StringMatch("exact", ""), "matches"),
        ("z", StringMatch("exact", ""), "matches"),
        ("e", StringMatch("exact", "a=b"), "matches"),
        ("%41", StringMatch("exact", "%42"), "matches"),  # as it stands there
        ("A", PresentMatch(True), "query parameter 'A' is missing"),
    ],
)
def test_query_parameters(name: str, test: Any, reason: str) -> None:
    assert why(RouteMatch(ALL, query=(QueryMatch(name, test),)), REQUEST) == reason


def test_all_of_them_have_to_match() -> None:
    match = RouteMatch(ALL, query=(QueryMatch("x"), QueryMatch("q")), grpc=True)
    assert why(match, REQUEST) == "query parameter 'q' is missing"


@pytest.mark.parametrize("present", [True, False])
def test_a_grpc_call_has_no_query(present: bool) -> None:
    match = RouteMatch(ALL, query=(QueryMatch("x", PresentMatch(present)),))
    assert (
        why(match, CallHeaders("/s/m?x=1", "a"))
        == "it asks for query parameters, which a gRPC call never has"
    )


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (CallHeaders("/s/m", "a"), "matches"),
        (GRPC, "matches"),
        (REQUEST, "it is for gRPC calls only"),
        (RequestHeaders("POST", "/", "a", [("content-type", "application/grpc")]), "matches"),
        (
            RequestHeaders("POST", "/", "a", [("content-type", "application/grpc-web")]),
            "it is for gRPC calls only",
        ),
    ],
)
def test_the_grpc_matcher(call: CallHeaders, reason: str) -> None:
    assert why(RouteMatch(ALL, grpc=True), call) == reason


def test_path_and_header_see_it_differently() -> None:
    assert why(RouteMatch(PathMatch("exact", "/api/v1")), REQUEST) == "matches"
    assert why(RouteMatch(PathMatch("regex", ".*x=1.*")), REQUEST) == "path '/api/v1' is not regex '.*x=1.*'"
