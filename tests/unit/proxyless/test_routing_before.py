"""Where a call goes whose cluster nobody can be asked for: by the configuration that was in force before."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from proxyless.balance import Status
from proxyless.depgraph import Config
from proxyless.match import RequestHeaders
from proxyless.resources import ClusterAction, DirectResponse, Route
from proxyless.routing import Chosen, Course, Fallback, Refused, choose, decide

from tests.unit.proxyless.test_routing import ABORT, ALL, CALL, DELAY, config, route

GONE = "cannot be had: UNAVAILABLE: refused"


class Deciding:
    """One call on its way, by two configurations; clusters are `usable` unless `states` says otherwise."""

    def __init__(
        self,
        now: list[Route],
        before: list[Route],
        cut_off: Collection[str] = ("new",),
        fallback: Fallback = "none",
        draw: Callable[[int], int] = lambda _: 0,
        call: Any = CALL,
        **states: str,
    ) -> None:
        self.before = config(*before)
        self.now = replace(config(*now), before=self.before, cut_off=frozenset(cut_off))
        self.states = dict.fromkeys(cut_off, GONE) | states
        self.fallback: Fallback = fallback
        self.course = Course(self.now.table, call, draw)

    def status(self, name: str) -> tuple[Status, str]:
        state = self.states.get(name, "usable")
        return (Status(state), "") if state in ("usable", "waiting") else (Status.UNUSABLE, state)

    def decide(self) -> tuple[Config, Course, Chosen | Refused]:
        return decide(self.now, self.course, fallback=self.fallback, status=self.status)

    def by(self) -> tuple[str, str]:
        """Which configuration decides, and for which cluster."""
        config, course, choice = self.decide()
        assert course.table is config.table
        assert isinstance(choice, Chosen) and choice.cluster is not None
        assert choice.route in config.table.virtual_host.routes
        return "before" if config is self.before else "now", choice.cluster.name


def to(name: str, index: int = 0, faults: Any = ()) -> Route:
    return route(index, {name: 1}, faults)


@pytest.mark.parametrize(
    ("state", "by"),
    [
        ("usable", ("before", "old")),
        ("waiting", ("before", "old")),  # connecting: it may yet come
        ("down", ("now", "new")),  # the error is that of the new route
    ],
)
def test_what_was_in_force_before_decides_where_it_can(state: str, by: tuple[str, str]) -> None:
    call = Deciding([to("new")], [to("old")], old=state)
    assert call.by() == by
    if state == "down":
        _, _, choice = call.decide()
        assert isinstance(choice, Chosen) and choice.reason == GONE


def test_a_call_whose_route_is_ready_stays_with_it() -> None:
    assert Deciding([to("ready"), to("new", 1)], [to("old")]).by() == ("now", "ready")
    assert Deciding([to("ready"), to("new", 1)], [to("old")], ready="down").by() == ("now", "ready")
    assert Deciding([to("ready"), to("new", 1)], [to("old")], ready="waiting").by() == ("now", "ready")


def test_while_somebody_can_be_asked_calls_wait_for_the_answer() -> None:
    call = Deciding([to("new")], [to("old")], cut_off=(), new="waiting")
    _, _, choice = call.decide()
    assert call.by() == ("now", "new")
    assert isinstance(choice, Chosen) and choice.status is Status.WAITING


def test_an_aggregate_one_of_whose_parts_serves_is_ready() -> None:
    assert Deciding([to("new")], [to("old")], new="usable").by() == ("now", "new")


def test_no_route_before_is_no_answer() -> None:
    assert Deciding([to("new")], []).by() == ("now", "new")


@pytest.mark.parametrize("call", [CALL, RequestHeaders("GET", "/", "a", (), "http")], ids=["grpc", "http"])
def test_what_the_configuration_answered_itself_it_still_answers_to_http(call: Any) -> None:
    config, _, choice = Deciding([to("new")], [Route(ALL, DirectResponse(204), "", 0)], call=call).decide()
    assert (config.before is None, isinstance(choice, Refused)) == (call is not CALL, call is not CALL)


def test_fallback_does_not_pass_over_it_but_comes_to_it() -> None:
    lane = [to("new"), to("base", 1)]
    assert Deciding(lane, [to("old")], fallback="next-route").by() == ("before", "old")
    assert Deciding(lane, [to("old")], fallback="next-route", old="down").by() == ("now", "base")
    behind = [to("lane"), to("new", 1), to("last", 2)]
    assert Deciding(behind, [to("old")], fallback="next-route", lane="down").by() == ("before", "old")


def test_the_old_routes_fall_back_among_themselves() -> None:
    old = [to("lane"), to("base", 1)]
    assert Deciding([to("new")], old, fallback="next-route", lane="down").by() == ("before", "base")
    assert Deciding([to("new")], old, fallback="none", lane="down").by() == ("now", "new")


def test_of_clusters_by_weight_only_the_one_that_is_drawn_counts() -> None:
    split = [route(0, {"ready": 3, "new": 1})]
    for fallback in ("none", "next-route"):
        assert Deciding(split, [to("old")], fallback=fallback, draw=lambda _: 2).by() == ("now", "ready")
        assert Deciding(split, [to("old")], fallback=fallback, draw=lambda _: 3).by() == ("before", "old")


def test_an_abort_needs_no_cluster() -> None:
    config, _, choice = Deciding([to("new", faults=ABORT)], [to("old")]).decide()
    assert config.before is not None
    assert isinstance(choice, Chosen) and choice.fault.abort is not None


def test_faults_are_those_of_whoever_decides_and_suffered_once() -> None:
    call = Deciding([to("new", faults=DELAY)], [to("old")])
    _, _, choice = call.decide()
    assert isinstance(choice, Chosen) and not choice.fault
    call = Deciding([to("new")], [to("old", faults=DELAY)])
    _, course, choice = call.decide()
    assert isinstance(choice, Chosen) and choice.fault.delay == 1.5
    course.suffered(choice.route)
    _, _, choice = call.decide()
    assert isinstance(choice, Chosen) and not choice.fault


def test_what_is_drawn_for_a_call_stays_drawn_in_both() -> None:
    bounds: list[int] = []

    def draw(bound: int) -> int:
        bounds.append(bound)
        return 0

    call = Deciding([route(0, {"new": 2, "x": 1})], [route(0, {"old": 4, "y": 1})], draw=draw)
    for _ in range(3):
        assert call.by() == ("before", "old")
    assert bounds == [3, 5]
    call.states["new"] = "usable"
    assert call.by() == ("now", "new")
    assert bounds == [3, 5]
    _, course, _ = call.decide()
    assert course.other is not None and course.other.other is course


STATES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["usable", "waiting", "down"]))
ROUTES = st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3), min_size=1), max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    ROUTES,
    ROUTES,
    STATES,
    st.sets(st.sampled_from("abcd")),
    st.sampled_from(["none", "next-route"]),
    st.randoms(use_true_random=False),
)
def test_it_never_makes_a_call_worse(
    now: list[dict[str, int]],
    before: list[dict[str, int]],
    states: dict[str, str],
    cut_off: set[str],
    fallback: Fallback,
    rng: Any,
) -> None:
    seed = rng.randrange(2**32)

    def deciding(cut_off: set[str]) -> Deciding:
        rng.seed(seed)
        routes = ([route(i, each) for i, each in enumerate(some)] for some in (now, before))
        return Deciding(*routes, cut_off, fallback, rng.randrange, **(states | dict.fromkeys(cut_off, GONE)))

    call = deciding(cut_off)
    config, course, choice = call.decide()
    if config is call.now:
        if not isinstance(choice, Chosen) or GONE not in (choice.reason + " ".join(choice.skipped)):
            return
        # It comes to a cluster for which nobody can be asked: then the old one had no answer either.
        old = choose(call.before, course.through(call.before.table), fallback=fallback, status=call.status)
        assert isinstance(old, Refused) or old.status is Status.UNUSABLE
        return
    # The old one decides only what comes to a cluster for which nobody can be asked, and always for good.
    assert isinstance(choice, Chosen) and choice.status is not Status.UNUSABLE
    assert isinstance(choice.action, ClusterAction) and choice.cluster is not None
    assert choice.cluster.name in before[choice.route.index]
    assert any(name in cut_off for each in now for name in each)
    assert course.table is call.before.table
