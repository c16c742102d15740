"""Why a call went where it went: what is asked, what was recorded, what is said."""

from __future__ import annotations

from typing import Any

import pytest

from console.reading.calls import call_of
from console.reading.clients import Changes, read_dump
from console.reading.sentences import says
from console.reading.spans import Span
from console.reading.tables import rules_of
from console.reading.why import Then, changed_since, question, same, then_of
from tests.fakes.recorded import DELIVERY, DEV, DIRECTORY, PAGE, STRICT, attempt, made, said, spans

REVIEWS = "outbound|9080|{}|reviews.default.svc.cluster.local"
TARGETS = tuple(f"xds:///{name}.default.svc.cluster.local:9080" for name in ("details", "ratings", "reviews"))
V2 = "127.77.0.12:9080"


def call_to(service: str, trace_id: str) -> Span:
    """A recorded call of productpage."""
    [found] = [
        span
        for span in spans()
        if span.trace_id == trace_id
        and span.kind == "CLIENT"
        and span.place.service == "productpage"
        and service in (span.text("rpc.service") + span.text("http.url")).lower()
    ]
    return found


def now(**fields: Any) -> dict[str, Any]:
    """What is said now of the recorded call in lane dev."""
    return {**said("explain-reviews-dev"), **fields}


def sentences(span: Span, decision: dict[str, Any], changed: bool | None = False) -> list[str]:
    [table] = read_dump(said("config-dump")).of_type("RDS")
    then, rules = then_of(span), rules_of(table.body, "env")
    call = call_of(span, (), DIRECTORY)
    return says(call, then, decision, rules, DIRECTORY, same=same(then, decision), changed=changed)


@pytest.mark.parametrize(
    ("service", "trace_id", "user", "query"),
    [
        ("reviews", DEV, "", [("target", TARGETS[2]), ("metadata", "baggage=env=dev")]),
        ("reviews", PAGE, "jason", [("target", TARGETS[2]), ("metadata", "end-user=jason")]),
        ("reviews", PAGE, "Ö 5%", [("target", TARGETS[2]), ("metadata", "end-user=%C3%96 5%25")]),
        ("details", STRICT, "", [("target", TARGETS[0]), ("metadata", "baggage=env=strict")]),
    ],
)
def test_the_question(service: str, trace_id: str, user: str, query: list[tuple[str, str]]) -> None:
    asked = question(call_to(service, trace_id), service, user, "env", TARGETS)
    assert asked is not None
    name = service.capitalize()
    method = ("method", f"/bookinfo.v1.{name}/Get{name}")
    assert asked.query() == [query[0], method, *query[1:]]
    assert asked.client == "productpage-v1"


def test_the_question_about_a_request_over_http() -> None:
    asked = question(call_to("delivery", DELIVERY), "delivery", "", "lane", ())
    assert asked is not None
    assert (asked.target, asked.method) == (
        "http://delivery.default.svc.cluster.local:9080/delivery/0",
        "GET",
    )
    assert asked.metadata == (("baggage", "lane=dev"),)


@pytest.mark.parametrize(
    ("span", "service", "target"),
    [
        (made("CLIENT", "a v1"), "reviews", TARGETS[2]),  # it never left: the service it was for tells
        (made("CLIENT", "a v1", attempts=(attempt(V2, REVIEWS.format("v2")),)), "", TARGETS[2]),
        (made("CLIENT", "a v1", error=f"{TARGETS[1]}: no"), "", TARGETS[1]),
        (made("CLIENT", "a v1"), "somebody", None),
        (made("CLIENT", "a v1", **{"http.url": "http://elsewhere:80/"}), "elsewhere", None),
        (made("CLIENT", "a v1", **{"http.url": "http://[bad"}), "", None),
        (made("INTERNAL", "a v1"), "reviews", None),
    ],
)
def test_the_target_of_a_call(span: Span, service: str, target: str | None) -> None:
    asked = question(span, service, "", "env", TARGETS)
    assert (asked.target if asked else None) == target


def test_what_was_recorded() -> None:
    assert then_of(call_to("reviews", DEV)) == Then("lane-dev", REVIEWS.format("v2"), V2, 1)
    assert then_of(call_to("details", STRICT)) == Then("lane-strict-strict", "", "", 0, "abort")
    assert then_of(made("CLIENT", "a v1")) == Then("", "", "", 0)


@pytest.mark.parametrize(
    ("decision", "alike"),
    [
        ({}, True),
        ({"route": {"name": "base", "index": 4}}, False),
        ({"clusters": {REVIEWS.format("v3"): 1}, "cluster": REVIEWS.format("v3")}, False),
        # another draw of the same rule
        (
            {"clusters": {REVIEWS.format("v3"): 9, REVIEWS.format("v2"): 1}, "cluster": REVIEWS.format("v3")},
            True,
        ),
        (
            {"clusters": {REVIEWS.format("v3"): 9, REVIEWS.format("v2"): 0}, "cluster": REVIEWS.format("v3")},
            False,
        ),
        ({"endpoints": ["127.77.0.99:9080"]}, False),
        ({"route": None, "clusters": {}, "cluster": None, "error": "no route"}, False),
    ],
)
def test_whether_it_would_go_the_same_way(decision: dict[str, Any], alike: bool) -> None:
    assert same(then_of(call_to("reviews", DEV)), now(**decision)) is alike


def test_a_call_that_a_rule_ended_is_ended_again_or_not() -> None:
    then = then_of(call_to("details", STRICT))
    ended = now(route={"name": "lane-strict-strict", "index": 1}, error="a fault aborts the call")
    assert same(then, ended)
    drawn = now(route={"name": "lane-strict-strict", "index": 1}, fault={"abort": {"percentage": 50.0}})
    assert same(then, drawn)  # this time it would pass
    assert not same(then, now(route={"name": "lane-strict-strict", "index": 1}))
    assert not same(then, now(route={"name": "base", "index": 2}))


def test_whether_the_rules_have_changed_since() -> None:
    dump, changes = read_dump(said("config-dump")), Changes()
    then = then_of(call_to("reviews", DEV))
    changes.look(dump, 1.0)
    assert changed_since(dump, changes, now(), then, 0.0) is None
    assert changed_since(dump, changes, now(), then, 1.5) is False
    changes.look(dump, 4.0)
    data = said("config-dump")
    table = data["resources"]["RDS"]["resources"]["outbound|9080||reviews.default.svc.cluster.local"]
    table["resource"] = {}
    changes.look(read_dump(data), 5.0)
    assert changed_since(dump, changes, now(), then, 3.5) is True
    assert changed_since(dump, changes, now(), then, 4.5) is None  # it changed then, before the call or after
    assert changed_since(dump, changes, now(), then, 6.0) is False
    assert changed_since(dump, changes, now(route_config="another"), then, 3.5) is False


def test_the_way_of_a_call_to_its_lanes_own_version() -> None:
    assert sentences(call_to("reviews", DEV), now()) == [
        "productpage v1 asked reviews for /bookinfo.v1.Reviews/GetReviews, in a request of lane dev.",
        "Rule lane-dev takes it: it sends lane dev to its own reviews v2.",
        f"It was sent to {V2} (reviews v2), the only one there.",
        "The same call would go by the same rule now.",
    ]


def test_the_way_of_a_call_of_no_lane_with_weights() -> None:
    clusters = {REVIEWS.format("v1"): 90, REVIEWS.format("v3"): 10}
    steps = [
        f"route 'lane-{lane}': header 'baggage' …" for lane in ("dev", "plain", "strict", "strict-strict")
    ]
    decision = now(
        route={"name": "base", "index": 4},
        steps=[*steps, "route 'base': matches"],
        clusters=clusters,
        cluster=REVIEWS.format("v1"),
    )
    said = sentences(call_to("reviews", PAGE), decision)
    assert said[1:] == [
        "The rules of the lanes dev, plain, strict did not take it: the request is of none of them.",
        "Rule base takes it: the request is of no lane, so base is to serve it, reviews v1 or reviews v3.",
        "It draws among its versions by weight: reviews v1 90 %, reviews v3 10 %; this call drew reviews v3.",
        "It was sent to 127.77.0.13:9080 (reviews v3).",
        "The same call would go by the same rule now.",
    ]


def test_a_call_that_base_took_since_its_own_version_was_gone() -> None:
    tries = (attempt("127.77.0.13:9080", REVIEWS.format("v3")),)
    span = made("CLIENT", "productpage v1", lane="dev", attempts=tries)
    decision = now(
        route={"name": "base", "index": 4},
        clusters={REVIEWS.format("v3"): 1},
        cluster=REVIEWS.format("v3"),
        endpoints=["127.77.0.13:9080", "127.77.0.33:9080"],
        steps=[
            "route 'lane-dev': matches",
            "route 'base': matches",
            "fallback passed over 'lane-dev': nobody",
        ],
    )
    said = sentences(span, decision)
    assert said[1] == "'lane-dev': nobody: so it was passed over, and the next rule had its turn."
    assert said[2] == "Rule base takes it: lane dev's own rule did not, so base stands in, reviews v3."
    assert said[3] == "It was sent to 127.77.0.13:9080 (reviews v3), chosen by round_robin among 2."


def test_a_call_that_a_strict_lane_keeps_from_base() -> None:
    fault = {"abort": {"grpc_status": 14, "percentage": 100.0}}
    decision = now(
        route={"name": "lane-strict-strict", "index": 3}, error="a fault", endpoints=[], fault=fault
    )
    said = sentences(call_to("details", STRICT), decision)
    assert said[1].startswith("Rule lane-strict-strict takes it: lane strict is strict and nobody of its own")
    assert not any("aborts" in sentence for sentence in said)
    assert said[2].startswith("The call failed: xds:///details")


def test_retries_and_faults() -> None:
    tries = (attempt("127.77.0.13:9080", REVIEWS.format("v2"), "lane-dev", 1, "UNAVAILABLE"),)
    tries += (attempt(V2, REVIEWS.format("v2"), "lane-dev", 2),)
    fault = {
        "delay": {"seconds": 0.5, "percentage": 10.0},
        "abort": {"grpc_status": 8, "percentage": 1.0},
    }
    said = sentences(made("CLIENT", "productpage v1", lane="dev", attempts=tries), now(fault=fault))
    assert said[2:6] == [
        "Attempt 1 at 127.77.0.13:9080 (reviews v3) failed with UNAVAILABLE, so it was tried again.",
        f"Attempt 2 was sent to {V2} (reviews v2), the only one there.",
        "The rule delays 10 % of its calls by 0.5 s; this call was not one of them by its timing, "
        "it was sent after 0.1 ms.",
        "The rule aborts 1 % of its calls with RESOURCE_EXHAUSTED; this call was not one of them.",
    ]


def test_a_fault_that_somebody_injected_into_one_lane() -> None:
    data = said("config-dump")["resources"]["RDS"]["resources"][
        "outbound|9080||reviews.default.svc.cluster.local"
    ]
    data["resource"]["virtual_hosts"][0]["routes"][0]["name"] = "fault-dev"
    rules = rules_of(data["resource"], "env")
    base = made("CLIENT", "productpage v1", attempts=(attempt("127.77.0.13:9080", REVIEWS.format("v2")),))
    steps = ["route 'fault-dev': header 'baggage' …", "route 'base': matches"]
    decision = now(route={"name": "base", "index": 4}, steps=steps)
    told = says(
        call_of(base, (), DIRECTORY), then_of(base), decision, rules, DIRECTORY, same=True, changed=False
    )
    assert told[1] == "The rules of lane dev did not take it: the request is not of that lane."
    ended = made("CLIENT", "productpage v1", lane="dev", error="fault injected by route 'fault-dev'")
    fault = {"abort": {"grpc_status": 14, "percentage": 50.0}}
    decision = now(route={"name": "fault-dev", "index": 0}, fault=fault, error="a fault aborts the call")
    call, then = call_of(ended, (), DIRECTORY), then_of(ended)
    told = says(call, then, decision, rules, DIRECTORY, same=same(then, decision), changed=False)
    assert told[1] == "Rule fault-dev takes it: it is for lane dev, but leads to what base has, reviews v2."
    ended_here = "this call was one of them, and was ended before anybody was picked to serve it"
    assert told[2] == f"The rule aborts 50 % of its calls with UNAVAILABLE; {ended_here}."
    assert told[-1] == "The rules are still the same: the same call would go by the same rule now."


def test_another_way_now() -> None:
    decision = now(
        route={"name": "base", "index": 4},
        clusters={REVIEWS.format("v3"): 1},
        cluster=REVIEWS.format("v3"),
        endpoints=["127.77.0.13:9080"],
    )
    said = sentences(call_to("reviews", DEV), decision, changed=True)
    assert said[1] == f"It went by rule lane-dev to reviews v2, at {V2} (reviews v2)."
    assert said[2] == "By the rules as they are now it would go another way:"
    assert said[-1] == "It would be sent to 127.77.0.13:9080 (reviews v3)."


def test_what_is_not_known_is_said() -> None:
    said = sentences(call_to("reviews", DEV), now(), changed=None)
    assert "What was in force then is not known: its client was looked at only later." in said
    changed = sentences(call_to("reviews", DEV), now(), changed=True)
    assert changed[1] == "What decides over it has changed at its client since; as it is now:"


def test_headers_that_spans_do_not_tell() -> None:
    [table] = read_dump(said("config-dump")).of_type("RDS")
    body: Any = table.body
    body["virtual_hosts"][0]["routes"][0]["match"]["headers"] += [{"name": "x-beta"}, {"name": "end-user"}]
    span = call_to("reviews", DEV)
    found = says(
        call_of(span, (), DIRECTORY),
        then_of(span),
        now(),
        rules_of(body, "env"),
        DIRECTORY,
        same=True,
        changed=False,
    )
    told = "The rules also look at x-beta; spans do not tell what the call had there, so it counts as absent."
    assert told in found


def test_a_rule_that_asks_for_a_header_takes_it_by_that_and_not_for_its_lane() -> None:
    [table] = read_dump(said("config-dump")).of_type("RDS")
    body: Any = table.body
    routes = body["virtual_hosts"][0]["routes"]
    routes[0] |= {"name": "jason", "match": {"headers": [{"name": "end-user"}, {"name": "end-user"}]}}
    routes[1] |= {"name": "by-hand", "match": {"headers": [{"name": "baggage", "test": {"how": "prefix"}}]}}

    def told(name: str, **outcome: bool | None) -> list[str]:
        span, decision = call_to("reviews", DEV), now(route={"name": name, "index": 0})
        call, rules = call_of(span, (), DIRECTORY), rules_of(body, "env")
        return says(
            call, then_of(span), decision, rules, DIRECTORY, **{"same": True, "changed": False, **outcome}
        )

    found = told("jason")
    assert (
        "Rule jason takes it: the call has in end-user what it asks for, and it leads to reviews v2." in found
    )
    found = told("by-hand", same=False)
    assert (
        "Rule by-hand takes it: the call has in baggage what it asks for, and it leads to reviews v2."
        in found
    )
    # Nothing has changed, so it is not the rules that are others now.
    assert not any("as they are now" in sentence for sentence in found)
    assert "The rules also look at all of baggage, of which spans tell the lane alone." in found


def test_nothing_takes_it() -> None:
    said = sentences(
        made("CLIENT", "productpage v1", error="no"), now(route=None, error="no route", steps=[])
    )
    assert "No rule takes it: no route." in said
