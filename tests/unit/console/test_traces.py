"""Requests out of spans, in whatever order they come."""

from __future__ import annotations

import random
from typing import Any

import pytest

from console.reading.spans import Span
from console.reading.traces import Traces, detail
from tests.fakes.recorded import DELIVERY, DEV, DIRECTORY, PAGE, STRICT, attempt, made, spans

VERSIONS = {"dev": {"reviews": "v2", "ratings": "v2"}, "strict": {"reviews": "v2"}}


def traces_of(told: list[Span], keep: int = 300) -> Traces:
    traces = Traces("productpage", keep)
    for span in told:
        traces.add([span])
    return traces


def shown(traces: Traces, trace_id: str) -> dict[str, Any]:
    request = traces.request(trace_id, DIRECTORY)
    assert request is not None
    return request.to_json(VERSIONS)


def hops(request: dict[str, Any]) -> list[str]:
    return [f"{h['service']} {h['version']}{' own' * h['own']}".rstrip() for h in request["hops"]]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_spans_come_is_all_the_same(seed: int) -> None:
    told = spans()
    random.Random(seed).shuffle(told)
    traces = traces_of(told)
    assert set(traces.ids()) == {PAGE, DEV, STRICT, DELIVERY} == traces.changed
    assert hops(shown(traces, PAGE)) == ["productpage v1", "details v1", "reviews v3", "ratings v1"]
    assert hops(shown(traces, DEV))[2:] == ["reviews v2 own", "ratings v2 own"]
    assert hops(shown(traces, DELIVERY)) == ["productpage v1", "delivery v1", "details v1"]


def test_a_request_as_it_is_listed() -> None:
    found = shown(traces_of(spans()), PAGE)
    assert (found["method"], found["path"], found["status"]) == ("GET", "/productpage", 200)
    assert (found["lane"], found["hue"], found["user"], found["error"]) == ("base", "base", "jason", "")
    assert found["duration_ms"] > 0


def test_who_does_not_answer_is_a_hop_without_a_version() -> None:
    found = shown(traces_of(spans()), STRICT)
    assert hops(found) == ["productpage v1", "details", "reviews v2 own", "ratings"]
    assert [bool(hop["error"]) for hop in found["hops"]] == [False, True, False, True]
    assert found["status"] == 200
    assert found["error"] == ""


def test_what_comes_late_changes_the_request() -> None:
    told = spans()
    late = [span for span in told if span.place.service == "ratings"]
    traces = traces_of([span for span in told if span not in late])
    assert hops(shown(traces, PAGE))[-1] == "ratings v1"  # where the call went is known by its endpoint
    traces.changed.clear()
    traces.add(late)
    assert traces.changed == {PAGE}
    traces.changed.clear()
    traces.add(late)
    assert traces.changed == set()


def test_without_the_door_there_is_no_request_yet() -> None:
    told = spans()
    traces = traces_of([span for span in told if span.place.service != "productpage"])
    assert traces.ids() == []
    assert traces.request(PAGE, DIRECTORY) is None
    traces.add(span for span in told if span.kind == "SERVER")
    # The caller's own spans are missing still: who served is told all the same.
    assert hops(shown(traces, PAGE)) == ["productpage v1", "details v1", "reviews v3", "ratings v1"]


def test_the_last_requests_are_kept() -> None:
    told = [made("SERVER", "productpage v1", trace=f"t{n}", start=n) for n in range(7)]
    told += [made("SERVER", "reviews v1", trace=f"alone{n}", start=n) for n in range(7)]
    random.Random(1).shuffle(told)
    traces = traces_of(told, keep=3)
    assert traces.ids() == ["t6", "t5", "t4"]
    assert traces.changed <= {"t6", "t5", "t4", *(f"alone{n}" for n in range(7))}
    assert traces.request("t3", DIRECTORY) is None


def test_one_trace_id_for_everything_has_an_end() -> None:
    traces = traces_of([made("SERVER", "productpage v1", start=n) for n in range(1200)])
    request = traces.request("t", DIRECTORY)
    assert request is not None
    assert request.root.start == 1199


def test_spans_that_are_their_own_parents_end() -> None:
    root = made("SERVER", "productpage v1")
    one, two = made("INTERNAL", "a v1"), made("INTERNAL", "b v1")
    told = [root, *(Span(**{**_fields(a), "parent": b.span_id}) for a, b in ((one, two), (two, one)))]
    request = traces_of(told).request("t", DIRECTORY)
    assert request is not None
    assert [row.span for row in request.rows] == [root]


def _fields(span: Span) -> dict[str, Any]:
    return {name: getattr(span, name) for name in Span.__dataclass_fields__}


def test_a_failed_request_says_why() -> None:
    root = made("SERVER", "productpage v1", error="503", **{"http.status_code": 503})
    call = made("CLIENT", "productpage v1", parent=root.span_id, error="nobody is there")
    found = shown(traces_of([call, root]), "t")
    assert found["error"] == "nobody is there"


def test_the_waterfall_has_parents_before_children() -> None:
    request = traces_of(spans()).request(DEV, DIRECTORY)
    assert request is not None
    rows = detail(request, frozenset({request.rows[1].span.span_id}))
    seen: set[str] = set()
    for row in rows:
        assert row["parent"] is None or row["parent"] in seen
        seen.add(row["span_id"])
    assert rows[0]["start_ms"] == 0
    assert all(row["start_ms"] >= 0 and row["duration_ms"] <= rows[0]["duration_ms"] for row in rows)
    assert [row["explainable"] for row in rows].count(True) == 1
    [reviews] = [row for row in rows if "Reviews" in row["name"] and row["kind"] == "CLIENT"]
    assert reviews["attempts"][0]["endpoint"] == "127.77.0.12:9080"
    assert (reviews["lane"], reviews["hue"], reviews["code"], reviews["error"]) == ("dev", 3, "OK", "")


def test_a_mirror_is_not_who_answered() -> None:
    root = made("SERVER", "productpage v1")
    call = made("CLIENT", "productpage v1", parent=root.span_id, attempts=(attempt("127.77.0.12:9080"),))
    served = made("SERVER", "reviews v2", parent=call.span_id, start=1.0)
    copy = made("SERVER", "reviews v3", parent=call.span_id, start=2.0)
    traces = traces_of([root, call, served, copy])
    assert hops(shown(traces, "t")) == ["productpage v1", "reviews v2"]
    request = traces.request("t", DIRECTORY)
    assert request is not None
    assert len(request.rows) == 4


def test_an_attempt_that_was_tried_again_elsewhere() -> None:
    root = made("SERVER", "productpage v1")
    tries = (attempt("127.77.0.12:9080", failed="UNAVAILABLE"), attempt("127.77.0.13:9080", number=2))
    call = made("CLIENT", "productpage v1", parent=root.span_id, attempts=tries)
    first = made("SERVER", "reviews v2", parent=call.span_id, start=1.0)
    second = made("SERVER", "reviews v3", parent=call.span_id, start=2.0)
    assert hops(shown(traces_of([first, second, call, root]), "t")) == ["productpage v1", "reviews v3"]
