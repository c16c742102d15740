"""What becomes of an HTTP request when a backend fails: retries, limits of time, delays."""

from __future__ import annotations

from typing import Any

from tests.fakes.resources import header
from tests.parity.cases import act, fault, host, share
from tests.parity.requests import Pairs, Request, by, fails, here
from tests.parity.rows.http_answers import NO_PROXY
from tests.parity.rows.http_sending import to_h1


def retried(on: str, retries: int | None = 2, **policy: Any) -> list[dict[str, Any]]:
    """To h1, with this retry policy."""
    number = {} if retries is None else {"num_retries": retries}
    return to_h1(retry_policy={"retry_on": on, **number, **policy})


def told(how: str) -> Pairs:
    """Headers that ask the backend for trouble."""
    return (("x-fail", how),)


def status(code: int, requests: int = 1) -> Any:
    return by(status=code, requests=requests)


def made_up(code: int, requests: int = 1) -> Any:
    """Envoy's own answer, after this many attempts."""
    return by(status=code, requests=requests, headers=())


def delayed(**action: Any) -> list[dict[str, Any]]:
    """To h1, after a delay."""
    delay = {"fixed_delay": "0.5s", "percentage": share(100)}
    return [act(route={"cluster": "h1", **action}, **fault(delay=delay))]


TRY: Any = {"per_try_timeout": "0.25s"}
OK3 = by(requests=3)

ROWS = [
    # --- by what is answered ---
    Request("http retry 5xx: 500", retried("5xx"), OK3, headers=told("500 2")),
    Request("http retry 5xx: 503", retried("5xx"), OK3, headers=told("503 2")),
    Request("http retry 5xx: 404", retried("5xx"), status(404), headers=told("404 2")),
    Request("http retry 5xx: too often", retried("5xx"), status(503, 3), headers=told("503 3")),
    Request("http retry 5xx: one by default", retried("5xx", None), status(503, 2), headers=told("503 2")),
    Request("http retry 5xx: 0", retried("5xx", 0), status(503), headers=told("503 1")),
    Request("http retry 5xx: more than gRPC may", retried("5xx", 7), by(requests=8), headers=told("503 7")),
    Request("http retry: no policy", to_h1(), status(503), headers=told("503 1")),
    *(
        Request(f"http retry gateway-error: {code}", retried("gateway-error"), OK3, headers=told(f"{code} 2"))
        for code in (502, 503, 504)
    ),
    Request("http retry gateway-error: 500", retried("gateway-error"), status(500), headers=told("500 1")),
    Request("http retry retriable-4xx: 409", retried("retriable-4xx"), OK3, headers=told("409 2")),
    Request("http retry retriable-4xx: 404", retried("retriable-4xx"), status(404), headers=told("404 1")),
    Request(
        "http retry retriable-status-codes",
        retried("retriable-status-codes", retriable_status_codes=[418]),
        OK3,
        headers=told("418 2"),
    ),
    Request(
        "http retry retriable-status-codes: not this one",
        retried("retriable-status-codes", retriable_status_codes=[418]),
        status(503),
        headers=told("503 1"),
    ),
    Request(
        "http retry retriable-status-codes: not asked for",
        retried("5xx", retriable_status_codes=[418]),
        status(418),
        headers=told("418 1"),
    ),
    Request(
        "http retry retriable-headers",
        retried("retriable-headers", retriable_headers=[header("X-Failed", present_match=True)]),
        OK3,
        headers=told("404 2"),
    ),
    Request(
        "http retry retriable-headers: another value",
        retried("retriable-headers", retriable_headers=[header("x-failed", exact_match="409")]),
        status(404),
        headers=told("404 1"),
    ),
    Request(
        "http retry retriable-headers: not asked for",
        retried("5xx", retriable_headers=[header("x-failed", present_match=True)]),
        status(404),
        headers=told("404 1"),
    ),
    Request(
        "http retry: gRPC's conditions", retried("unavailable,internal"), status(503), headers=told("503 1")
    ),
    Request("http retry: two conditions", retried("reset,gateway-error"), OK3, headers=told("502 2")),
    Request("http retry: blanks", retried("reset, 5xx"), OK3, headers=told("500 2")),
    Request("http retry: what nobody knows", retried("whenever"), status(503), headers=told("503 1")),
    Request("http retry: a POST", retried("5xx"), OK3, method="POST", body=b"body", headers=told("503 2")),
    Request(
        "http retry of the virtual host",
        host(to_h1(), retry_policy={"retry_on": "5xx", "num_retries": 2}),
        OK3,
        headers=told("503 2"),
    ),
    Request(
        "http retry: route before virtual host",
        host(retried("reset"), retry_policy={"retry_on": "5xx", "num_retries": 2}),
        status(503),
        headers=told("503 1"),
    ),
    # --- by how it is lost ---
    *(
        Request(
            f"http retry {on}: broken off",
            retried(on),
            OK3,
            method="POST",
            body=b"x",
            headers=told("RESET 2"),
        )
        for on in ("reset", "5xx", "gateway-error")
    ),
    Request(
        "http retry connect-failure: broken off",
        retried("connect-failure"),
        fails("EndpointError", by="h1", requests=1),
        method="POST",
        body=b"x",
        headers=told("RESET 1"),
        envoy=made_up(503),
        why=NO_PROXY,
    ),
    Request(
        "http broken off",
        to_h1(),
        fails("EndpointError", by="h1", requests=1),
        method="POST",
        body=b"x",
        headers=told("RESET 1"),
        envoy=made_up(503),
        why=NO_PROXY,
    ),
    Request(
        "http retry reset: broken off too often",
        retried("reset"),
        fails("EndpointError", by="h1", requests=3),
        method="POST",
        body=b"x",
        headers=told("RESET 3"),
        envoy=made_up(503, 3),
        why=NO_PROXY,
    ),
    *(
        Request(
            f"http retry {on}: an endpoint refuses",
            [act(route={"cluster": "partly", "retry_policy": {"retry_on": on, "num_retries": 5}})],
            by(),
        )
        for on in ("connect-failure", "reset", "5xx")
    ),
    # --- limits ---
    Request(
        "http timeout",
        to_h1(timeout="0.15s"),
        fails("RouteTimeoutError", by="h1", requests=1),
        headers=told("HANG 1"),
        envoy=made_up(504),
        why=NO_PROXY,
    ),
    Request(
        "http timeout: max_stream_duration",
        to_h1(timeout="0s", max_stream_duration={"max_stream_duration": "0.15s"}),
        fails("RouteTimeoutError", by="h1", requests=1),
        headers=told("HANG 1"),
        envoy=made_up(504),
        why=NO_PROXY,
    ),
    Request(
        "http timeout: of all attempts",
        to_h1(timeout="0.2s", retry_policy={"retry_on": "5xx", "num_retries": 5}),
        fails("RouteTimeoutError", by="h1", requests=1),
        headers=told("HANG 9"),
        envoy=made_up(504),
        why=NO_PROXY,
    ),
    Request("http timeout: 0 is none", delayed(timeout="0s"), by()),
    *(
        Request(f"http each attempt's limit: {on}", retried(on, **TRY), OK3, headers=told("HANG 2"))
        for on in ("5xx", "gateway-error", "reset")
    ),
    Request(
        "http each attempt's limit: connect-failure",
        retried("connect-failure", **TRY),
        fails("RouteTimeoutError", by="h1", requests=1),
        headers=told("HANG 1"),
        envoy=made_up(504),
        why=NO_PROXY,
    ),
    Request(
        "http each attempt's limit: too often",
        retried("5xx", **TRY),
        fails("RouteTimeoutError", by="h1", requests=3),
        headers=told("HANG 3"),
        envoy=made_up(504, 3),
        why=NO_PROXY,
    ),
    # --- delays ---
    Request("http delay", delayed(), by()),
    Request("http delay: longer than the timeout", delayed(timeout="0.4s"), by()),
    Request(
        "http delay: longer than max_stream_duration",
        delayed(max_stream_duration={"max_stream_duration": "0.1s"}),
        fails("RouteTimeoutError"),
        envoy=here(504),
        why=NO_PROXY,
    ),
    Request(
        "http limits by header: retries",
        to_h1(),
        status(503),
        headers=(*told("503 1"), ("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "2")),
    ),
    Request(
        "http limits by header: timeout",
        delayed(),
        by(),
        headers=(("x-envoy-upstream-rq-timeout-ms", "100"),),
    ),
]
