"""What the admin port is asked."""

from __future__ import annotations

import pytest
from multidict import MultiDict

from serving.admin_requests import Asker, BadRequestError, Explain, Spans, level, refused

CALL = [("target", "xds:///reviews:9080"), ("method", "/bookinfo.v1.Reviews/GetReviews")]


def test_a_call_to_be_explained() -> None:
    query = MultiDict([*CALL, ("metadata", "Baggage=env=dev"), ("metadata", "end-user=")])
    asked = Explain.read(query)
    assert asked.metadata == (("baggage", "env=dev"), ("end-user", ""))
    assert (asked.target, asked.method, asked.timeout, asked.want_route) == (
        "xds:///reviews:9080",
        "/bookinfo.v1.Reviews/GetReviews",
        5.0,
        None,
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([], "the parameter method is needed, once."),
        (CALL[1:], "the parameter target is needed, once."),
        ([*CALL, CALL[0]], "the parameter target is needed, once."),
        ([CALL[0], ("method", "GetReviews")], "method='GetReviews' is not /package.Service/Method."),
        ([*CALL, ("metadata", "x")], "metadata='x' is not key=value."),
        ([*CALL, ("metadata", "ä=1")], "metadata='ä=1' is not key=value."),
        ([*CALL, ("metadata", "x-bin=1")], "metadata='x-bin=1': binary metadata is absent for matching."),
        ([*CALL, ("timeout", "nan")], "timeout='nan' is not within 0 and 30 seconds."),
        ([*CALL, ("timeout", "31")], "timeout='31' is not within 0 and 30 seconds."),
        ([*CALL, ("meta", "x=1")], "'meta' is none of the parameters target, method, metadata, timeout, "),
    ],
)
def test_a_call_that_cannot_be_explained(query: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        Explain.read(MultiDict(query))
    assert str(refused.value).startswith(said)


def test_a_request_over_http_that_can_be_explained() -> None:
    read = Explain.read(MultiDict([("target", "http://delivery:9080/delivery/0?x=1"), ("method", "GET")]))
    assert (read.target, read.method) == ("http://delivery:9080/delivery/0?x=1", "GET")


@pytest.mark.parametrize("method", ["get", "/a.B/C", "GET /", ""])
def test_a_request_over_http_has_a_method_of_its_own(method: str) -> None:
    with pytest.raises(BadRequestError, match="method"):
        Explain.read(MultiDict([("target", "http://delivery:9080/"), ("method", method)]))


@pytest.mark.parametrize(
    ("name", "value"), [("since", "-1"), ("limit", "x"), ("limit", "9" * 30), ("trace_id", "ABC"), ("a", "1")]
)
def test_spans_that_cannot_be_asked_for(name: str, value: str) -> None:
    with pytest.raises(BadRequestError, match=name):
        Spans.read(MultiDict({name: value}))


@pytest.mark.parametrize(
    ("query", "body", "found"),
    [
        ({"level": "debug"}, "", "DEBUG"),
        ({}, "info\n", "INFO"),
        ({}, '{"level": "Warning"}', "WARNING"),
    ],
)
def test_a_log_level(query: dict[str, str], body: str, found: str) -> None:
    assert level(MultiDict(query), body) == found


@pytest.mark.parametrize("body", ["", "loud", "{", '{"level": 10}', '{"x": 1}', "[]"])
def test_no_log_level(body: str) -> None:
    with pytest.raises(BadRequestError):
        level(MultiDict(), body)


@pytest.mark.parametrize(
    ("method", "headers", "allowed"),
    [
        ("GET", {"Host": "127.0.0.1:15000"}, True),
        ("GET", {"Host": "localhost:8080"}, True),
        ("GET", {"Host": "[::1]:15000"}, True),
        ("PUT", {"Host": "127.7.1.10:15000"}, True),
        ("PUT", {"Host": "127.0.0.1:15000", "Origin": "http://127.0.0.1:15000"}, True),
        ("GET", {"Host": "127.0.0.1:15000", "Origin": "http://example.com"}, True),
        ("PUT", {"Host": "127.0.0.1:15000", "Origin": "http://example.com"}, False),
        ("POST", {"Host": "127.0.0.1:15000", "Origin": "http://127.0.0.1:9080"}, False),
        ("POST", {"Host": "127.0.0.1:15000", "Origin": "null"}, False),
        ("GET", {"Host": "example.com"}, False),
        ("GET", {"Host": "127.0.0.1.example.com"}, False),
        ("GET", {"Host": "10.0.0.7:15000"}, False),
        ("GET", {"Host": "[::1"}, False),
        ("GET", {}, False),
    ],
)
@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.77.1.11", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("path", ["/lanes", "/loglevel", "/metrics"])
def test_what_this_machine_is_answered(
    path: str, peer: str, readable: bool, method: str, headers: dict[str, str], allowed: bool
) -> None:
    fault = refused(Asker(method, path, peer, headers), readable=readable)
    assert (fault is None) == allowed


NEVER, OPENED, ALWAYS = range(3)


@pytest.mark.parametrize(
    ("method", "path", "host", "when"),
    [
        ("GET", "/metrics", "10.0.0.7:15000", ALWAYS),
        ("HEAD", "/healthz", "10.0.0.7:15000", ALWAYS),
        ("GET", "/readyz", "reviews-admin.bookinfo:15000", ALWAYS),
        ("GET", "/config_dump", "10.0.0.7:15000", OPENED),
        ("GET", "/explain", "[fd00::7]:15000", OPENED),
        ("GET", "/loglevel", "10.0.0.7:15000", OPENED),
        ("GET", "/spans", "127.0.0.1:15000", OPENED),
        ("GET", "/", "10.0.0.7:15000", OPENED),
        ("GET", "/metrics/", "10.0.0.7:15000", OPENED),
        ("GET", "/spans", "rebound.example.com", NEVER),
        ("GET", "/spans", "localhost", OPENED),
        ("PUT", "/loglevel", "10.0.0.7:15000", NEVER),
        ("POST", "/loglevel", "127.0.0.1:15000", NEVER),
        ("POST", "/metrics", "10.0.0.7:15000", NEVER),
        ("OPTIONS", "/lanes", "10.0.0.7:15000", NEVER),
    ],
)
@pytest.mark.parametrize(
    "peer",
    ["10.0.0.9", "fd00::9", "::ffff:10.0.0.9", "fe80::9%eth0", "127.0.0.6", "::ffff:127.0.0.6", "", None],
)
def test_what_other_machines_are_answered(
    peer: str | None, method: str, path: str, host: str, when: int
) -> None:
    asker = Asker(method, path, peer, {"Host": host})
    assert (refused(asker, readable=False) is None) == (when is ALWAYS)
    assert (refused(asker, readable=True) is None) == (when is not NEVER)
