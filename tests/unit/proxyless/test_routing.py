"""Where one call goes: fallback, weighted redraws, the strict lane's abort, faults drawn once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxyless.balance import Status
from proxyless.depgraph import Config, Pending
from proxyless.fault import NO_FAULT, Fault
from proxyless.match import CallHeaders, RouteTable
from proxyless.resources import (
    ClusterAction,
    FaultAbort,
    FaultDelay,
    FaultFilter,
    FaultPolicy,
    Fraction,
    Listener,
    OtherAction,
    PathMatch,
    RetryPolicy,
    Route,
    RouteConfig,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)
from proxyless.routing import Chosen, Course, Refused, choose

ALL = RouteMatch(PathMatch("prefix", ""))
CALL = CallHeaders("/s/m", "a")
ALWAYS = Fraction(100)
UNAVAILABLE = 14
ABORT = (FaultFilter("fault", FaultPolicy(abort=FaultAbort(UNAVAILABLE, ALWAYS))),)
DELAY = (FaultFilter("fault", FaultPolicy(delay=FaultDelay(1.5, ALWAYS))),)
Fallback = Literal["none", "next-route"]


def route(index: int, clusters: dict[str, int] | None = None, faults: Any = (), name: str = "") -> Route:
    weighted = tuple(WeightedCluster(n, w) for n, w in (clusters or {f"c{index}": 1}).items())
    return Route(ALL, ClusterAction(weighted), name, index, faults)


NO_FAULTS = (FaultFilter("fault", FaultPolicy()),)


def config(*routes: Route, listener_faults: Any = NO_FAULTS) -> Config:
    host = VirtualHost("vh", ("*",), routes)
    listener, table = Listener("l", faults=listener_faults), RouteTable(host)
    names = {c.name for r in routes if isinstance(r.action, ClusterAction) for c in r.action.clusters}
    return Config(listener, RouteConfig("r", (host,)), table, {name: Pending(name) for name in names})


class Deciding:
    """One call on its way: its clusters are `usable` unless `states` says `waiting` or why they are not."""

    def __init__(
        self,
        routes: list[Route],
        states: dict[str, str],
        fallback: Fallback = "next-route",
        draw: Callable[[int], int] = lambda _: 0,
    ) -> None:
        self.config = config(*routes)
        self.states = states
        self.fallback: Fallback = fallback
        self.course = Course(self.config.table, CALL, draw)
        self.asked: list[str] = []

    def status(self, name: str) -> tuple[Status, str]:
        self.asked.append(name)
        state = self.states.get(name, "usable")
        return (Status(state), "") if state in ("usable", "waiting") else (Status.UNUSABLE, state)

    def choose(self) -> Chosen | Refused:
        self.asked.clear()
        return choose(self.config, self.course, fallback=self.fallback, status=self.status)

    def chosen(self) -> tuple[int, str | None, Status]:
        choice = self.choose()
        assert isinstance(choice, Chosen)
        return choice.route.index, choice.cluster.name if choice.cluster else None, choice.status


def decide(
    routes: list[Route],
    states: dict[str, str],
    fallback: Fallback = "next-route",
    draw: Callable[[int], int] = lambda _: 0,
) -> tuple[Chosen | Refused, list[str]]:
    deciding = Deciding(routes, states, fallback, draw)
    return deciding.choose(), deciding.asked


# --- fallback ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fallback", "states", "cluster", "status", "skipped"),
    [
        ("none", {}, "c0", Status.USABLE, ()),
        ("none", {"c0": "down"}, "c0", Status.UNUSABLE, ()),
        ("none", {"c0": "waiting"}, "c0", Status.WAITING, ()),
        ("next-route", {}, "c0", Status.USABLE, ()),
        ("next-route", {"c0": "waiting"}, "c0", Status.WAITING, ()),  # it may yet come
        ("next-route", {"c0": "down"}, "c1", Status.USABLE, ("route 'lane': cluster c0: down",)),
        (
            "next-route",
            {"c0": "down", "c1": "gone"},
            "c2",
            Status.USABLE,
            ("route 'lane': cluster c0: down", "route #1: cluster c1: gone"),
        ),
        (
            "next-route",
            {"c0": "down", "c1": "waiting"},
            "c1",
            Status.WAITING,
            ("route 'lane': cluster c0: down",),
        ),
        # Nothing left: the last one says why, after what was passed over.
        (
            "next-route",
            {"c0": "down", "c1": "gone", "c2": "empty"},
            "c2",
            Status.UNUSABLE,
            ("route 'lane': cluster c0: down", "route #1: cluster c1: gone"),
        ),
    ],
)
def test_fallback(
    fallback: Fallback, states: dict[str, str], cluster: str, status: Status, skipped: tuple[str, ...]
) -> None:
    choice, asked = decide([route(0, name="lane"), route(1), route(2)], states, fallback)
    assert isinstance(choice, Chosen) and choice.cluster is not None
    assert (choice.cluster.name, choice.status, choice.skipped) == (cluster, status, skipped)
    assert choice.reason == states.get(cluster, "").replace("waiting", "")
    assert len(asked) == len(set(asked))  # no cluster is asked twice: it never loops


def test_no_route_matches() -> None:
    choice, _ = decide([], {})
    assert choice == Refused("no route of virtual host 'vh' matches /s/m")


def test_an_action_grpc_cannot_follow_ends_the_search() -> None:
    redirect = Route(ALL, OtherAction("redirect"), "moved", 1)
    choice, _ = decide([route(0), redirect, route(2)], {"c0": "down"})
    assert choice == Refused(
        "route 'moved' has the action 'redirect', which gRPC cannot follow",
        ("route #0: cluster c0: down",),
        redirect,
    )


# --- weighted clusters ------------------------------------------------------------------------------------


def test_the_usable_clusters_of_a_route_come_before_the_next_route() -> None:
    routes = [route(0, {"a": 1, "zero": 0, "b": 1}), route(1)]
    choice, asked = decide(routes, {"a": "down"})
    assert isinstance(choice, Chosen) and choice.cluster is not None
    assert (choice.route.index, choice.cluster.name) == (0, "b")
    assert choice.skipped == ("cluster a: down",)
    choice, asked = decide(routes, {"a": "down", "b": "gone"})
    assert isinstance(choice, Chosen) and choice.cluster is not None
    assert (choice.route.index, choice.cluster.name) == (1, "c1")
    assert choice.skipped == ("cluster a: down", "route #0: cluster b: gone")
    assert asked == ["a", "b", "c1"]  # never the one of weight 0


def test_a_redraw_is_by_the_weights_that_are_left() -> None:
    bounds: list[int] = []

    def draw(bound: int) -> int:
        bounds.append(bound)
        return bound - 1

    choice, _ = decide([route(0, {"a": 5, "b": 3, "c": 2})], {"c": "down"}, draw=draw)
    assert isinstance(choice, Chosen) and choice.cluster is not None
    assert choice.cluster.name == "b"
    assert bounds == [10, 8]


TO_AB = ClusterAction((WeightedCluster("a", 1), WeightedCluster("b", 1)))


def test_without_fallback_a_weight_stays_a_weight() -> None:
    choice, asked = decide([route(0, {"a": 1, "b": 1})], {"a": "down"}, "none")
    assert isinstance(choice, Chosen) and choice.cluster is not None
    assert (choice.cluster.name, choice.status, asked) == ("a", Status.UNUSABLE, ["a"])


# --- faults -----------------------------------------------------------------------------------------------


def test_a_strict_lane_aborts_behind_its_unusable_route_and_says_what_was_skipped() -> None:
    routes = [route(0, {"lane": 1}), route(1, {"base": 1}, ABORT), route(2)]
    choice, asked = decide(routes, {"lane": "it has no endpoints"})
    assert isinstance(choice, Chosen)
    assert (choice.route.index, choice.cluster, choice.fault) == (1, None, Fault(0, UNAVAILABLE))
    assert choice.skipped == ("route #0: cluster lane: it has no endpoints",)
    assert asked == ["lane"]  # the aborted route's cluster is nobody's business
    choice, _ = decide(routes, {})
    assert isinstance(choice, Chosen) and choice.fault == NO_FAULT


def test_an_abort_is_never_fallen_back_from() -> None:
    choice, asked = decide([route(0, faults=ABORT), route(1)], {"c0": "down"})
    assert isinstance(choice, Chosen)
    assert (choice.route.index, choice.fault.abort, asked) == (0, UNAVAILABLE, [])


def test_a_delay_belongs_to_the_route_that_is_taken() -> None:
    choice, _ = decide([route(0, faults=DELAY), route(1)], {})
    assert isinstance(choice, Chosen) and choice.fault == Fault(1.5)
    choice, _ = decide([route(0, faults=DELAY), route(1)], {"c0": "down"})
    assert isinstance(choice, Chosen) and choice.fault == NO_FAULT


def test_a_fault_is_drawn_once_a_call_and_suffered_once() -> None:
    drawn: list[int] = []

    def draw(bound: int) -> int:
        drawn.append(bound)
        return 0

    half = (FaultFilter("fault", FaultPolicy(delay=FaultDelay(1.5, Fraction(50, 77)))),)
    call = Deciding([route(0, faults=half), route(1, faults=half)], {"c0": "down"}, draw=draw)
    for _ in range(3):
        choice = call.choose()
        assert isinstance(choice, Chosen) and choice.fault == Fault(1.5)
    assert drawn == [77, 77]
    call.course.suffered(choice.route)
    choice = call.choose()
    assert isinstance(choice, Chosen) and choice.fault == NO_FAULT
    assert drawn == [77, 77]


# --- a call is matched once, above its retries ------------------------------------------------------------


def test_routes_are_matched_and_clusters_drawn_once_a_call() -> None:
    bounds: list[int] = []

    def draw(bound: int) -> int:
        bounds.append(bound)
        return 0

    some = Route(RouteMatch(ALL.path, (), Fraction(1, 1000)), TO_AB, "", 0)
    call = Deciding([some, route(1)], {}, draw=draw)
    assert [call.chosen() for _ in range(3)] == [(0, "a", Status.USABLE)] * 3
    assert bounds == [1000, 2]
    assert len(list(call.course.routes())) == len(list(call.course.routes())) == 2


def test_a_retry_stays_with_its_cluster_until_that_is_unusable() -> None:
    call = Deciding([route(0, {"a": 1, "b": 1}), route(1)], {})
    assert call.chosen() == (0, "a", Status.USABLE)
    call.states["a"] = "down"
    assert call.chosen() == (0, "b", Status.USABLE)
    call.states["a"] = "usable"
    assert call.chosen() == (0, "b", Status.USABLE)
    call.states.update(a="down", b="down")
    assert call.chosen() == (1, "c1", Status.USABLE)
    call.states["b"] = "usable"
    assert call.chosen() == (0, "b", Status.USABLE)  # the lane is back


def test_a_listener_without_a_fault_filter_has_no_faults() -> None:
    whole = config(route(0, faults=ABORT), listener_faults=())
    assert whole.faults(whole.table.virtual_host.routes[0], None) == ()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), min_size=1), max_size=4),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["usable", "waiting", "down"])),
    st.sampled_from(["none", "next-route"]),
    st.randoms(use_true_random=False),
)
def test_what_fallback_promises(
    routes: list[dict[str, int]], states: dict[str, str], fallback: Fallback, rng: Any
) -> None:
    choice, asked = decide([route(i, each) for i, each in enumerate(routes)], states, fallback, rng.randrange)
    assert len(asked) <= sum(map(len, routes))
    if not routes:
        assert isinstance(choice, Refused)
        return
    assert isinstance(choice, Chosen) and choice.cluster is not None
    assert choice.cluster.name in routes[choice.route.index]
    able = [i for i, each in enumerate(routes) if any(states.get(n, "usable") != "down" for n in each)]
    if fallback == "none":
        assert (choice.route.index, len(asked)) == (0, 1)
    elif able:
        assert choice.route.index == able[0]
        assert choice.status is not Status.UNUSABLE
    else:
        assert choice.status is Status.UNUSABLE
        assert len(choice.skipped) == sum(map(len, routes)) - 1


# --- what a Config says of a route ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route_limit", "listener_limit", "seconds"),
    [
        (None, None, None),
        (None, 5.0, 5.0),
        (3.0, 5.0, 3.0),
        (0.0, 5.0, None),  # 0 is no limit, not the listener's
        (None, 0.0, None),
        (7.0, 5.0, 7.0),
    ],
)
def test_timeouts(route_limit: float | None, listener_limit: float | None, seconds: float | None) -> None:
    host = VirtualHost("vh", ("*",), ())
    whole = Config(
        Listener("l", max_stream_duration=listener_limit), RouteConfig("r", (host,)), RouteTable(host), {}
    )
    assert whole.timeout(ClusterAction((), route_limit)) == seconds


UNAVAILABLE_ONLY = RetryPolicy(frozenset({"unavailable"}))
INTERNAL_ONLY = RetryPolicy(frozenset({"internal"}))
NEVER = RetryPolicy(frozenset())


@pytest.mark.parametrize(
    ("route_policy", "host_policy", "policy"),
    [
        (None, None, None),
        (UNAVAILABLE_ONLY, None, UNAVAILABLE_ONLY),
        (None, UNAVAILABLE_ONLY, UNAVAILABLE_ONLY),
        (INTERNAL_ONLY, UNAVAILABLE_ONLY, INTERNAL_ONLY),
        (NEVER, UNAVAILABLE_ONLY, None),  # the route's own policy counts, even one that never retries
        (None, NEVER, None),
    ],
)
def test_retry_policies(route_policy: Any, host_policy: Any, policy: RetryPolicy | None) -> None:
    host = VirtualHost("vh", ("*",), (), host_policy)
    whole = Config(Listener("l"), RouteConfig("r", (host,)), RouteTable(host), {})
    assert whole.retry(ClusterAction((), None, route_policy)) == policy
