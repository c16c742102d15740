"""What a backend receives of an HTTP request: its path, its host and its headers; and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.route.v3.route_components_pb2 import VirtualHost

from tests.fakes.resources import virtual_host
from tests.parity.cases import act, host, regex
from tests.parity.edits import request, response, without
from tests.parity.requests import Pairs, Request, by


def to_h1(match: Mapping[str, Any] | None = None, /, **action: Any) -> list[dict[str, Any]]:
    """To h1, with more fields of the action."""
    return [act(match, route={"cluster": "h1", **action})]


def edited(*levels: Mapping[str, Any]) -> list[dict[str, Any]]:
    """To h1, with these fields of the route."""
    fields: dict[str, Any] = {}
    for each in levels:
        fields |= each
    return [act(route={"cluster": "h1"}, **fields)]


def swap(pattern: str, substitution: str) -> dict[str, Any]:
    return {"regex_rewrite": {"pattern": regex(pattern), "substitution": substitution}}


def got(*pairs: tuple[str, str]) -> Any:
    return by(received=pairs)


def answered(*pairs: tuple[str, str]) -> Any:
    return by(headers=pairs)


def serve(*domains: str) -> list[VirtualHost]:
    """To h1 for these domains, else to h2."""
    return [
        virtual_host("v", domains, to_h1()),
        virtual_host("rest", ["*"], [act(route={"cluster": "h2"})]),
    ]


OF_THE_TARGET = "a target has one virtual host, by its host:port, as in gRPC; Envoy goes by the Host header"
API = {"prefix": "/api"}
A: Pairs = (("k-a", "1"),)
HERE = ("k-server", "h1")
OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"

ROWS = [
    # --- paths ---
    Request("rewrite prefix", to_h1(API, prefix_rewrite="/v2"), by(path="/v2/x?y=1"), "/api/x?y=1"),
    Request("rewrite prefix: the whole", to_h1(API, prefix_rewrite="/v2"), by(path="/v2?y"), "/api?y"),
    Request("rewrite prefix: in mid word", to_h1(API, prefix_rewrite="/"), by(path="/s"), "/apis"),
    Request("rewrite prefix: slashes meet", to_h1(API, prefix_rewrite="/"), by(path="//x"), "/api/x"),
    Request(
        "rewrite prefix: an exact path",
        to_h1({"path": "/api"}, prefix_rewrite="/v2"),
        by(path="/v2?y=/api"),
        "/api?y=/api",
    ),
    Request(
        "rewrite prefix: segments",
        to_h1({"path_separated_prefix": "/api"}, prefix_rewrite="/v2"),
        by(path="/v2/x"),
        "/api/x",
    ),
    Request(
        "rewrite prefix: a regex path",
        to_h1({"safe_regex": regex("/a.*")}, prefix_rewrite="/v2"),
        by(path="/v2?y"),
        "/api/x?y",
    ),
    Request(
        "rewrite prefix: any case",
        to_h1({"prefix": "/API", "case_sensitive": False}, prefix_rewrite="/v2"),
        by(path="/v2/x"),
        "/api/x",
    ),
    Request(
        "rewrite prefix: escapes stay",
        to_h1(API, prefix_rewrite="/v2"),
        by(path="/v2/a%2Fb%20c?x=%7E"),
        "/api/a%2Fb%20c?x=%7E",
    ),
    Request(
        "rewrite prefix: with a query", to_h1(API, prefix_rewrite="/v2?z=1"), by(path="/v2?z=1/x"), "/api/x"
    ),
    Request("no rewrite: escapes stay", to_h1(), by(), "/a%2Fb%20c;d?x=%7E+%2b&y"),
    Request("no rewrite: dots stay", to_h1(), by(), "/a/../b/./c//d"),
    Request("rewrite regex", to_h1(**swap("^/(a)/(b)", r"/\2/\1")), by(path="/b/a/c"), "/a/b/c"),
    Request("rewrite regex: each place", to_h1(**swap("a", "b")), by(path="/b/b"), "/a/a"),
    Request("rewrite regex: not the query", to_h1(**swap("a", "b")), by(path="/b?a"), "/a?a"),
    Request("rewrite regex: no match", to_h1(**swap("x", "y")), by(), "/a"),
    Request("rewrite regex: the whole match", to_h1(**swap("a+", r"<\0>")), by(path="/<aa>"), "/aa"),
    Request("rewrite regex: nothing left", to_h1(**swap("^/a", "")), by(path="/b"), "/a/b"),
    # --- hosts ---
    Request("rewrite host", to_h1(host_rewrite_literal="other"), by(host="other")),
    Request("rewrite host: with a port", to_h1(host_rewrite_literal="other:81"), by(host="other:81")),
    Request(
        "rewrite host and path",
        to_h1(API, host_rewrite_literal="other", prefix_rewrite="/"),
        by(host="other", path="//x"),
        "/api/x",
    ),
    Request("host: port 80 is not said", to_h1(), by(host="s.http"), listener="s.http:80"),
    Request(
        "host: port 80 is the target's",
        serve("t.http"),
        by("h2"),
        listener="t.http:80",
        envoy=by("h1"),
        why=OF_THE_TARGET,
    ),
    Request(
        "host: port 80 in the domain",
        serve("u.http:80"),
        by("h1"),
        listener="u.http:80",
        envoy=by("h2"),
        why=OF_THE_TARGET,
    ),
    Request(
        "host: port 80 in one domain, not in the other",
        serve("v.http:80", "v.http"),
        by("h1"),
        listener="v.http:80",
    ),
    Request("host: the caller's", to_h1(), by(host="other"), host="other"),
    Request(
        "host: the caller's is matched",
        [
            act(
                {"prefix": "", "headers": [{"name": ":authority", "exact_match": "other"}]},
                route={"cluster": "h2"},
            ),
            *to_h1(),
        ],
        by("h2"),
        host="other",
    ),
    Request(
        "host: the caller's, and a domain",
        serve("other"),
        by("h2"),
        host="other",
        envoy=by("h1"),
        why=OF_THE_TARGET,
    ),
    Request("host: the caller's is rewritten", to_h1(host_rewrite_literal="x"), by(host="x"), host="other"),
    # --- headers of the request ---
    Request("http add", edited(request(("k-b", "2"))), got(*A, ("k-b", "2")), headers=A),
    Request("http add: again", edited(request(("k-a", "2"))), got(*A, ("k-a", "2")), headers=A),
    Request("http overwrite", edited(request(("k-a", "2"), how=OVERWRITE)), got(("k-a", "2")), headers=A),
    Request("http remove", edited(without("K-A")), got(), headers=A),
    Request(
        "http remove: each value",
        edited(without("k-a")),
        got(("k-b", "2")),
        headers=(*A, ("k-b", "2"), ("k-a", "3")),
    ),
    Request("http repeated: stay apart", to_h1(), by(), headers=(*A, ("k-a", "2"))),
    Request(
        "http add: what the request says",
        edited(request(("k-b", "%REQ(k-a)% %REQ(:method)% %REQ(:path)%"))),
        got(*A, ("k-b", "1 PUT /x?y")),
        "/x?y",
        method="PUT",
        headers=A,
    ),
    Request(
        "http add: route, then virtual host",
        host(edited(request(("k-b", "route"))), **request(("k-b", "host"))),
        got(("k-b", "route"), ("k-b", "host")),
    ),
    Request(
        "http add: once, however often it is sent",
        [
            act(
                route={"cluster": "h1", "retry_policy": {"retry_on": "5xx", "num_retries": 2}},
                **request(("k-b", "2")),
            )
        ],
        by(requests=3, received=(("k-b", "2"),)),
        headers=(("x-fail", "503 2"),),
    ),
    # --- headers of the response ---
    Request("http answer: add", edited(response(("k-b", "2"))), answered(("k-b", "2"), HERE)),
    Request("http answer: again", edited(response(("k-server", "2"))), answered(HERE, ("k-server", "2"))),
    Request(
        "http answer: overwrite",
        edited(response(("k-server", "2"), how=OVERWRITE)),
        answered(("k-server", "2")),
    ),
    Request("http answer: remove", edited({"response_headers_to_remove": ["K-Server"]}), answered()),
    Request(
        "http answer: of a failure",
        edited(response(("k-b", "2"))),
        by(status=404, headers=(("k-b", "2"), HERE)),
        headers=(("x-fail", "404 1"),),
    ),
    Request(
        "http answer: to whom",
        edited(response(("k-b", "%REQ(k-a)%"))),
        by(headers=(("k-b", "1"), HERE)),
        headers=A,
    ),
    Request("http HEAD", to_h1(), by(), method="HEAD"),
    Request("http OPTIONS", to_h1(), by(), method="OPTIONS"),
    Request("http PATCH", to_h1(), by(), method="PATCH", body=b"x"),
    Request("http a status of its own", to_h1(), by(status=418), headers=(("x-fail", "418 1"),)),
]
