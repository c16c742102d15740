"""Which route an HTTP request takes: query parameters, paths beside a query, pseudo headers."""

from __future__ import annotations

from typing import Any

from tests.fakes.resources import header, route
from tests.parity.cases import REFUSED, regex
from tests.parity.requests import Request, by

H1, H2 = by("h1"), by("h2")

EACH_VALUE = "since 1.39 Envoy tests each value of a repeated header by itself; ours joins them as for gRPC"


def path(**match: Any) -> list[dict[str, Any]]:
    """To h2 where the path matches, else to h1."""
    return [route("h2", **match), route("h1")]


def when(name: str, **test: Any) -> list[dict[str, Any]]:
    """To h2 where the header passes the test, else to h1."""
    return path(headers=[header(name, **test)])


def query(name: str, **test: Any) -> list[dict[str, Any]]:
    """To h2 where the query parameter passes the test, else to h1."""
    return path(query_parameters=[{"name": name, **test}])


def text(**match: Any) -> list[dict[str, Any]]:
    """To h2 where the query parameter `x` matches, else to h1."""
    return query("x", string_match=match)


TWO = path(query_parameters=[{"name": each, "present_match": True} for each in ("x", "y")])

ROWS = [
    # --- query parameters ---
    Request("query exact: equal", text(exact="1"), H2, "/?x=1"),
    Request("query exact: another value", text(exact="1"), H1, "/?x=12"),
    Request("query exact: missing", text(exact="1"), H1, "/?y=1"),
    Request("query exact: no query", text(exact="1"), H1, "/"),
    Request("query exact: case", text(exact="a"), H1, "/?x=A"),
    Request("query exact: any case", text(exact="a", ignore_case=True), H2, "/?x=A"),
    Request("query exact: in a later place", text(exact="1"), H2, "/?y=2&x=1"),
    Request("query exact empty: no value", text(exact=""), H2, "/?x="),
    Request("query exact empty: no equals sign", text(exact=""), H2, "/?x"),
    Request("query exact: an equals sign in it", text(exact="a=b"), H2, "/?x=a=b"),
    Request("query prefix", text(prefix="ab"), H2, "/?x=abc"),
    Request("query suffix", text(suffix="bc"), H2, "/?x=abc"),
    Request("query contains", text(contains="b"), H2, "/?x=abc"),
    Request("query regex: whole", text(safe_regex=regex("a.c")), H2, "/?x=abc"),
    Request("query regex: part", text(safe_regex=regex("a.")), H1, "/?x=abc"),
    Request("query present: there", query("x", present_match=True), H2, "/?x=1"),
    Request("query present: no value", query("x", present_match=True), H2, "/?x"),
    Request("query present: missing", query("x", present_match=True), H1, "/?y"),
    Request("query absent: missing", query("x", present_match=False), H2, "/?y"),
    Request("query absent: there", query("x", present_match=False), H1, "/?x"),
    Request("query no test at all", query("x"), H2, "/?x"),
    Request("query: name's case", query("x", present_match=True), H1, "/?X=1"),
    Request("query repeated: the first", text(exact="1"), H2, "/?x=1&x=2"),
    Request("query repeated: the second", text(exact="2"), H1, "/?x=1&x=2"),
    Request("query escaped: decoded", text(exact="a b"), H1, "/?x=a%20b"),
    Request("query escaped: as it is", text(exact="a%20b"), H2, "/?x=a%20b"),
    Request("query escaped: plus", text(exact="a b"), H1, "/?x=a+b"),
    Request("query escaped: name", query("x", present_match=True), H1, "/?%78=1"),
    Request("query: two, both there", TWO, H2, "/?y&x"),
    Request("query: two, one there", TWO, H1, "/?x"),
    Request("query: a second question mark", text(exact="1?2"), H2, "/?x=1?2"),
    Request("query: without a name", query("", present_match=True), REFUSED),
    # --- paths ---
    Request("http path exact: with a query", path(path="/a"), H2, "/a?x=1"),
    Request("http path exact: query in the rule", path(path="/a?x=1"), H1, "/a?x=1"),
    Request("http path exact: a slash behind", path(path="/a"), H1, "/a/"),
    Request("http path exact: parameters", path(path="/a"), H1, "/a;v=1"),
    Request("http path exact: escaped", path(path="/a"), H1, "/%61"),
    Request("http path exact: escaped as it is", path(path="/%61"), H2, "/%61"),
    Request("http path exact: two slashes", path(path="/a"), H1, "//a"),
    Request("http path prefix: with a query", path(prefix="/a"), H2, "/abc?x=1"),
    Request("http path prefix: only in the query", path(prefix="/a"), H1, "/b?/a"),
    Request("http path prefix: any case", path(prefix="/a", case_sensitive=False), H2, "/ABC"),
    Request("http path prefix: dots", path(prefix="/b"), H1, "/a/../b"),
    Request("http path regex: with a query", path(safe_regex=regex("/[a-z]")), H2, "/a?x=1"),
    Request("http path regex: query in the rule", path(safe_regex=regex(r"/a\?x=1")), H1, "/a?x=1"),
    Request("http path segments: with a query", path(path_separated_prefix="/a"), H2, "/a?x=1"),
    Request("http path segments: below", path(path_separated_prefix="/a"), H2, "/a/b"),
    Request("http path segments: part of a word", path(path_separated_prefix="/a"), H1, "/ab"),
    # --- pseudo headers and headers ---
    Request("http :method", when(":method", exact_match="PUT"), H2, method="PUT", body=b"x"),
    Request("http :method: another", when(":method", exact_match="PUT"), H1, method="DELETE"),
    Request("http :path: with its query", when(":path", exact_match="/a?x=1"), H2, "/a?x=1"),
    Request("http :path: without its query", when(":path", exact_match="/a"), H1, "/a?x=1"),
    Request("http :authority", when(":authority", exact_match="a.http:9080"), H2, listener="a.http:9080"),
    Request("http :authority: port 80", when(":authority", exact_match="b.http"), H2, listener="b.http:80"),
    Request("http :scheme", when(":scheme", exact_match="http"), H2),
    Request("http host", when("host", exact_match="c.http:9080"), H2, listener="c.http:9080"),
    Request("http -bin is no other", when("k-bin", exact_match="x"), H2, headers=(("k-bin", "x"),)),
    Request("http name's case", when("K-A", exact_match="x"), H2, headers=(("k-A", "x"),)),
    Request("http content-length", when("content-length", exact_match="4"), H2, method="POST", body=b"body"),
    Request(
        "http repeated header: joined",
        when("k-a", exact_match="1,2"),
        H2,
        headers=(("k-a", "1"), ("k-a", "2")),
        envoy=H1,
        why=EACH_VALUE,
    ),
    Request(
        "http grpc",
        path(grpc={}),
        H2,
        method="POST",
        headers=(("content-type", "application/grpc+proto"),),
    ),
    Request("http grpc: is none", path(grpc={}), H1, headers=(("content-type", "application/json"),)),
    Request(
        "http grpc: -web is none", path(grpc={}), H1, headers=(("content-type", "application/grpc-web"),)
    ),
]
