"""Spans as admin ports tell them: read, and refused by name where they cannot be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from console.reading.spans import Attempt, Place, UnreadableError, read_spans
from tests.fakes.recorded import DELIVERY, DEV, PAGE, PROCESSES, STRICT, said, told


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_says_who_it_is(name: str) -> None:
    page = told(name)
    service, _, version = name.partition("-")
    assert (page.place, page.instance) == (Place(service, version), name)
    assert page.run
    assert page.next == len(page.spans) > 0
    assert {span.place for span in page.spans} == {page.place}


def test_a_call_in_a_lane() -> None:
    [call] = [s for s in told("productpage-v1").spans if s.trace_id == DEV and "Reviews" in s.name]
    assert call.is_call
    assert (call.lane, call.code, call.failed) == ("dev", "OK", False)
    cluster = "outbound|9080|v2|reviews.default.svc.cluster.local"
    assert call.attempts == (Attempt(1, "lane-dev", cluster, "127.77.0.12:9080", call.attempts[0].after_ms),)
    assert call.end == pytest.approx(call.start + call.duration_ms / 1000)


def test_a_request_of_somebody() -> None:
    [request] = [s for s in told("productpage-v1").spans if s.trace_id == PAGE and s.kind == "SERVER"]
    assert not request.is_call
    assert request.text("enduser.id") == "jason"
    assert (request.code, request.number("http.status_code"), request.lane) == ("200", 200, "base")


def test_a_call_that_a_rule_ended() -> None:
    [call] = [s for s in told("productpage-v1").spans if s.trace_id == STRICT and "Details" in s.name]
    assert call.failed
    assert (call.code, call.attempts) == ("UNAVAILABLE", ())
    assert call.error.endswith("fault injected by route 'lane-strict-strict'")


def test_a_request_over_http_is_a_call() -> None:
    [call] = [s for s in told("productpage-v1").spans if s.trace_id == DELIVERY and s.kind == "CLIENT"]
    assert call.is_call
    assert call.text("http.url") == "http://delivery.default.svc.cluster.local:9080/delivery/0"


def with_events(events: list[dict[str, Any]], code: int) -> Any:
    data = copy.deepcopy(said("productpage-v1"))
    [span] = data["spans"] = [s for s in data["spans"] if s["trace_id"] == DEV and "Reviews" in s["name"]]
    span["events"] = events
    span["attributes"]["rpc.grpc.status_code"] = code
    return data


def event(name: str, number: int, **attributes: Any) -> dict[str, Any]:
    said = {"xds.attempt": number, "xds.route": "base", "xds.cluster": "c", "xds.endpoint": "e", **attributes}
    return {"name": name, "after_ms": number, "attributes": said}


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, ["UNAVAILABLE", "503", ""]), (4, ["UNAVAILABLE", "503", "DEADLINE_EXCEEDED"])]
)
def test_attempts_and_how_each_failed(code: int, outcome: list[str]) -> None:
    events = [
        event("xds.attempt", 1),
        event("xds.retry", 1, **{"grpc.status": "UNAVAILABLE"}),
        event("exception", 7),
        event("xds.attempt", 2),
        event("xds.retry", 2, **{"http.response.status_code": 503}),
        event("xds.attempt", 3),
    ]
    [call] = read_spans(with_events(events, code)).spans
    assert [each.number for each in call.attempts] == [1, 2, 3]
    assert [each.failed for each in call.attempts] == outcome
    assert call.failed is (code != 0)


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_a_server_fails_from_500_on(status: int) -> None:
    data = copy.deepcopy(said("productpage-v1"))
    data["spans"] = [s for s in data["spans"] if s["trace_id"] == PAGE and s["kind"] == "SERVER"]
    data["spans"][0]["attributes"]["http.status_code"] = status
    [span] = read_spans(data).spans
    assert span.failed is (status >= 500)


def replaced(path: tuple[str | int, ...], value: Any) -> Any:
    data = copy.deepcopy(said("reviews-v2"))
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the answer is no object"),
        (None, "the answer is no object"),
        ({}, "service is no text"),
        (replaced(("spans",), {}), "spans is no list"),
        (replaced(("next",), "1"), "next is no number"),
        (replaced(("next",), -1), "next is no number"),
        (replaced(("spans", 0), 7), "a span is no object"),
        (replaced(("spans", 0, "trace_id"), None), "trace_id is no text"),
        (replaced(("spans", 0, "start"), float("nan")), "start is no time"),
        (replaced(("spans", 0, "start"), 1e300), "start is no time"),
        (replaced(("spans", 0, "start"), -1.0), "start is no time"),
        (replaced(("spans", 0, "duration_ms"), 1e300), "duration_ms is no time"),
        (replaced(("spans", 0, "duration_ms"), True), "duration_ms is no time"),
        (replaced(("spans", 0, "attributes"), []), "attributes of a span is no object"),
        (replaced(("spans", 0, "status"), "OK"), "status of a span is no object"),
        (replaced(("spans", 0, "events"), [1]), "an event is no object"),
    ],
)
def test_what_is_no_answer_is_an_error_by_name(data: Any, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        read_spans(data)
