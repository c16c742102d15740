"""What the configuration answers itself: redirects, direct responses, aborts; and where there is no way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fakes.resources import header, route, virtual_host
from tests.parity.cases import act, fault, host, regex, share
from tests.parity.requests import Request, by, fails, here, moved

GRPC_ABORT = (
    "Envoy answers 200 to who does not speak gRPC, and nothing says that it failed; ours answers the status "
    "of HTTP that means the same, so that a strict lane is strict"
)
NO_PROXY = "no proxy stands between to make up an answer: `proxyless.http` raises instead (http/errors.py)"


def to(match: Mapping[str, Any] | None = None, **redirect: Any) -> list[dict[str, Any]]:
    return [act(match, redirect=redirect)]


def say(status: int, text: str = "", **more: Any) -> list[dict[str, Any]]:
    """Answer at once."""
    body = {"body": {"inline_string": text}} if text else {}
    return [act(direct_response={"status": status, **body}, **more)]


def adds(name: str, value: str = "1") -> dict[str, Any]:
    return {"response_headers_to_add": [{"header": {"key": name, "value": value}}]}


def abort(percent: int = 100, **what: Any) -> list[dict[str, Any]]:
    """To h1, unless this abort comes first."""
    return [{**route("h1"), **fault(abort={"percentage": share(percent), **what})}]


OLD = {"prefix": "/old"}
SWAP = {"pattern": regex("^/(.*)/(.*)$"), "substitution": r"/\2/\1"}


def at(n: int, port: int = 9080) -> str:
    """A listener for a row that has to know its name."""
    return f"r{n}.http:{port}"


ROWS = [
    # --- redirects ---
    Request("redirect: host", to(host_redirect="x"), moved("http://x/a?b=c"), "/a?b=c", listener=at(1)),
    Request("redirect: host with a port", to(host_redirect="x:81"), moved("http://x:81/"), listener=at(2)),
    Request("redirect: https", to(https_redirect=True), moved(f"https://{at(3)}/"), listener=at(3)),
    Request("redirect: scheme", to(scheme_redirect="https"), moved(f"https://{at(4)}/"), listener=at(4)),
    Request("redirect: another scheme", to(scheme_redirect="Ftp"), moved(f"Ftp://{at(5)}/"), listener=at(5)),
    Request("redirect: port", to(port_redirect=81), moved("http://r6.http:81/"), listener=at(6)),
    Request("redirect: the scheme's port", to(port_redirect=80), moved("http://r7.http:80/"), listener=at(7)),
    Request(
        "redirect: https and its port",
        to(https_redirect=True, port_redirect=443),
        moved("https://r8.http:443/"),
        listener=at(8),
    ),
    Request(
        "redirect: https from port 80",
        to(https_redirect=True),
        moved("https://r9.http/"),
        listener=at(9, 80),
    ),
    Request(
        "redirect: host and port",
        to(host_redirect="x", port_redirect=81),
        moved("http://x:81/"),
        listener=at(10),
    ),
    Request("redirect: path", to(path_redirect="/b"), moved(f"http://{at(11)}/b"), "/a", listener=at(11)),
    Request(
        "redirect: path, query stays",
        to(path_redirect="/b"),
        moved(f"http://{at(12)}/b?x=1"),
        "/a?x=1",
        listener=at(12),
    ),
    Request(
        "redirect: path with a query",
        to(path_redirect="/b?y"),
        moved(f"http://{at(13)}/b?y"),
        "/a?x=1",
        listener=at(13),
    ),
    Request(
        "redirect: path with a query, stripped",
        to(path_redirect="/b?y", strip_query=True),
        moved(f"http://{at(14)}/b?y"),
        "/a?x=1",
        listener=at(14),
    ),
    Request(
        "redirect: strip_query",
        to(host_redirect="x", strip_query=True),
        moved("http://x/a"),
        "/a?x=1",
        listener=at(15),
    ),
    Request(
        "redirect: path without a slash",
        to(path_redirect="b"),
        moved(f"http://{at(16)}/b"),
        "/a",
        listener=at(16),
    ),
    Request(
        "redirect: prefix",
        to(OLD, prefix_rewrite="/new"),
        moved(f"http://{at(17)}/new/7?x=1"),
        "/old/7?x=1",
        listener=at(17),
    ),
    Request(
        "redirect: prefix, in mid word",
        to(OLD, prefix_rewrite="/"),
        moved(f"http://{at(18)}/er"),
        "/older",
        listener=at(18),
    ),
    Request(
        "redirect: prefix of an exact path",
        to({"path": "/old"}, prefix_rewrite="/new"),
        moved(f"http://{at(19)}/new?x"),
        "/old?x",
        listener=at(19),
    ),
    Request(
        "redirect: regex",
        to(regex_rewrite=SWAP),
        moved(f"http://{at(20)}/b/a?x=/1/2"),
        "/a/b?x=/1/2",
        listener=at(20),
    ),
    Request(
        "redirect: regex, stripped",
        to(regex_rewrite=SWAP, strip_query=True),
        moved(f"http://{at(21)}/b/a"),
        "/a/b?x",
        listener=at(21),
    ),
    *(
        Request(f"redirect: {status}", to(host_redirect="x", response_code=code), moved("http://x/", status))
        for status, code in {
            301: "MOVED_PERMANENTLY",
            302: "FOUND",
            303: "SEE_OTHER",
            307: "TEMPORARY_REDIRECT",
            308: "PERMANENT_REDIRECT",
        }.items()
    ),
    Request("redirect: nothing else", to(), moved(f"http://{at(22)}/a?x"), "/a?x", listener=at(22)),
    Request("redirect: of a POST", to(host_redirect="x"), moved("http://x/"), method="POST", body=b"x" * 9),
    Request(
        "redirect: the first that matches",
        [*to(OLD, host_redirect="x"), route("h1")],
        by(),
        "/new",
    ),
    Request(
        "redirect: with a header",
        [act(redirect={"host_redirect": "x"}, **adds("k-a"))],
        here(301, ("k-a", "1"), ("location", "http://x/")),
    ),
    # --- direct responses ---
    Request("direct: 200", say(200, "hello"), here(200, body="hello")),
    Request("direct: 200 without a body", say(200), here(200, body="")),
    Request("direct: 404", say(404, "nothing"), here(404, body="nothing")),
    Request("direct: 503 is not retried", say(503, "busy"), here(503, body="busy")),
    Request("direct: 204", say(204), here(204, body="")),
    Request("direct: HEAD", say(200, "hello"), here(200, body=""), method="HEAD"),
    Request("direct: POST", say(418, "x"), here(418, body="x"), method="POST", body=b"x" * 100_000),
    Request("direct: with a header", say(200, "x", **adds("k-a")), here(200, ("k-a", "1"), body="x")),
    Request(
        "direct: with the virtual host's header",
        host(say(200, "x"), **adds("k-a")),
        here(200, ("k-a", "1"), body="x"),
    ),
    Request(
        "direct: bytes",
        [act(direct_response={"status": 200, "body": {"inline_bytes": "eHl6"}})],
        here(200, body="xyz"),
    ),
    # --- aborts ---
    Request("http abort: 503", abort(http_status=503), here(503)),
    Request("http abort: 404", abort(http_status=404), here(404)),
    Request("http abort: 200", abort(http_status=200), here(200)),
    Request("http abort: 0 %", abort(0, http_status=503), by()),
    Request("http abort: UNAVAILABLE", abort(grpc_status=14), here(503), envoy=here(200), why=GRPC_ABORT),
    Request("http abort: NOT_FOUND", abort(grpc_status=5), here(404), envoy=here(200), why=GRPC_ABORT),
    Request(
        "http abort: PERMISSION_DENIED", abort(grpc_status=7), here(403), envoy=here(200), why=GRPC_ABORT
    ),
    Request(
        "http abort: by header",
        abort(header_abort={}),
        here(429),
        headers=(("x-envoy-fault-abort-request", "429"),),
    ),
    Request("http abort: no header", abort(header_abort={}), by()),
    Request(
        "http abort: header without a number",
        abort(header_abort={}),
        by(),
        headers=(("x-envoy-fault-abort-request", "x"),),
    ),
    Request(
        "http abort: header asks for less",
        abort(header_abort={}),
        by(),
        headers=(
            ("x-envoy-fault-abort-request", "503"),
            ("x-envoy-fault-abort-request-percentage", "0"),
        ),
    ),
    # --- no way ---
    Request(
        "http no route", [route("h1", prefix="/x")], fails("UnavailableError"), envoy=here(404), why=NO_PROXY
    ),
    Request(
        "http no virtual host",
        [virtual_host("other", ["other"], [route("h1")])],
        fails("UnavailableError"),
        envoy=here(404),
        why=NO_PROXY,
    ),
    Request("http no endpoints", [route("empty")], fails("UnavailableError"), envoy=here(503), why=NO_PROXY),
    Request(
        "http no endpoint answers",
        [route("nowhere")],
        fails("UnavailableError"),
        envoy=here(503),
        why=NO_PROXY,
    ),
    Request(
        "http no such cluster", [route("none")], fails("UnavailableError"), envoy=here(503), why=NO_PROXY
    ),
    Request(
        "http no route for this header",
        [route("h1", headers=[header("k-a", exact_match="1")])],
        fails("UnavailableError"),
        envoy=here(404),
        why=NO_PROXY,
    ),
]
