"""Calls that a fault delayed or ended, and draws that had to be repeated: what is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from console.reading.calls import call_of
from console.reading.clients import read_dump
from console.reading.sentences import says
from console.reading.spans import Attempt, Span
from console.reading.tables import rules_of
from console.reading.why import Then, completed, same, then_of
from tests.fakes.recorded import DIRECTORY, attempt, made, said

V1, V2, V3, V9 = (f"outbound|9080|{v}|reviews.default.svc.cluster.local" for v in ("v1", "v2", "v3", "v9"))
AT = "127.77.0.13:9080"
LATE = "xds:///reviews.default.svc.cluster.local:9080: deadline exceeded in a delay injected by route 'base'"


def base(**fields: Any) -> dict[str, Any]:
    """What is said now of a call that base takes."""
    whole = said("explain-reviews-dev")
    return {**whole, "route": {"name": "base", "index": 4}, "steps": ["route 'base': matches"], **fields}


def delay(seconds: float | None = 5.0, percentage: float = 100.0) -> dict[str, Any]:
    return {"delay": {"seconds": seconds, "percentage": percentage}}


def told(
    span: Span,
    decision: dict[str, Any],
    changed: bool | None = False,
    lacking: dict[str, str] | None = None,
) -> list[str]:
    [table] = read_dump(said("config-dump")).of_type("RDS")
    then = completed(then_of(span), span, decision)
    call = call_of(span, (), DIRECTORY)
    rules = rules_of(table.body, "env")
    alike = same(then, decision)
    return says(call, then, decision, rules, DIRECTORY, same=alike, changed=changed, lacking=lacking or {})


def test_a_call_whose_deadline_came_while_it_was_delayed() -> None:
    span = made("CLIENT", "productpage v1", ms=2501.0, error=LATE)
    assert then_of(span) == Then("base", "", "", 0, "delay")
    assert same(then_of(span), base(fault=delay()))
    sentences = told(span, base(fault=delay()))
    assert sentences[2:] == [
        "The rule delays 100 % of its calls by 5 s; this call was one of them, and ended after 2.5 s while "
        "it was still being delayed: its caller's deadline was over by then, before anybody was picked to "
        "serve it.",
        f"The call failed: {LATE}.",
        "The rules are still the same: the same call would go by the same rule now.",
    ]
    by_rule = told(span, base(fault=delay(), timeout=2.5))
    assert any("the rule's timeout of 2.5 s was over by then" in each for each in by_rule)


def test_it_is_another_way_only_where_the_fault_is_gone() -> None:
    span = made("CLIENT", "productpage v1", ms=2501.0, error=LATE)
    sentences = told(span, base(), changed=True)
    assert sentences[1] == "It ended while rule base delayed it, before anybody was picked to serve it."
    assert sentences[2] == "By the rules as they are now it would go another way:"


def test_a_rule_without_a_name_is_found_by_its_place() -> None:
    span = made("CLIENT", "productpage v1", error="x: fault injected by route #4")
    assert then_of(span) == Then("#4", "", "", 0, "abort")
    decision = base(route={"name": "", "index": 4}, error="a fault", fault={"abort": {"percentage": 1.0}})
    assert same(then_of(span), decision)


@pytest.mark.parametrize(
    ("span", "ended"),
    [
        ({"error": "TimeoutError", "ms": 2500.0}, "delay"),
        ({"error": "503", "http.status_code": 503}, "abort"),
        ({"error": "TimeoutError", "ms": 6000.0}, ""),  # longer than the delay
        ({"error": "500", "http.status_code": 500}, ""),
    ],
)
def test_http_names_no_rule_but_fits_what_the_rule_does(span: dict[str, Any], ended: str) -> None:
    found = made("CLIENT", "productpage v1", **{"http.url": "http://delivery:9080/", **span})
    fault = {**delay(), "abort": {"http_status": 503, "percentage": 50.0}}
    then = completed(then_of(found), found, base(fault=fault))
    assert (then.route, then.ended) == (("base", ended) if ended else ("", ""))


@pytest.mark.parametrize(
    ("after", "seconds", "this"),
    [
        (501.2, 0.5, "this call was one of them by its timing, it was sent after 501 ms"),
        (20.0, 0.5, "this call was not one of them by its timing, it was sent after 20 ms"),
        (0.0, 0.5, "this call was not one of them by its timing, it was sent at once"),
        (0.0, 0.004, "whether this call was one of them is too short to be told"),
        (0.0, None, "whether this call was one of them cannot be told"),
    ],
)
def test_whether_a_call_was_delayed_its_timing_tells(after: float, seconds: float | None, this: str) -> None:
    span = made("CLIENT", "productpage v1", attempts=(Attempt(1, "base", V2, AT, after),))
    decision = base(fault=delay(seconds, 50.0), endpoints=[])
    assert any(each.endswith(f"; {this}.") for each in told(span, decision))
    assert not any("this call was" in each for each in told(span, decision, changed=True))


def test_a_draw_that_fell_on_nobody_is_repeated() -> None:
    span = made("CLIENT", "productpage v1", attempts=(attempt(AT, V1, "base"),))
    drawn = {"clusters": {V1: 50, V9: 50}, "cluster": V1, "endpoints": [AT]}
    steps = [
        "route 'base': matches",
        f"fallback passed over cluster {V9}: it does not exist in the control plane",
    ]
    repeated = [
        "It draws among its versions by weight: reviews v1 50 %, reviews v9 50 %.",
        "Reviews v9 can serve nobody (it does not exist in the control plane).",
        "A call that draws reviews v9 is drawn again among the others; this call came to reviews v1.",
    ]
    assert told(span, base(**drawn, steps=steps))[2:5] == repeated
    # the question drew v1 at once; what the client holds tells the same
    lacking = {V9: "it does not exist in the control plane"}
    assert told(span, base(**drawn), lacking=lacking)[2:5] == repeated


def test_a_rule_none_of_whose_versions_can_serve_is_passed_over() -> None:
    span = made("CLIENT", "productpage v1", attempts=(attempt(AT, V1, "base"),))
    steps = [
        "route 'canary': matches",
        "route 'base': matches",
        f"fallback passed over cluster {V9}: nobody",
        f"fallback passed over route 'canary': cluster {V3}: nobody",
    ]
    sentences = told(span, base(clusters={V1: 1}, cluster=V1, steps=steps))
    passed = [each for each in sentences if "passed over" in each]
    assert passed == [
        f"Route 'canary': cluster {V3}: nobody: so it was passed over, and the next rule had its turn."
    ]


def test_a_client_says_which_clusters_can_serve_nobody() -> None:
    data = said("config-dump")
    clusters = data["targets"]["xds:///reviews.default.svc.cluster.local:9080"]["clusters"]
    clusters[V3] = {"status": "unusable", "reason": "it has no endpoints"}
    assert read_dump(data).lacking == {V3: "it has no endpoints"}
