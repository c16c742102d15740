"""The table of routes: order, fractions, what never matches; `explain` and `matches` always agree."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxyless.match import CallHeaders, RequestHeaders, RouteTable
from proxyless.resources import (
    ClusterAction,
    Fraction,
    HeaderMatch,
    PathMatch,
    PresentMatch,
    QueryMatch,
    RangeMatch,
    Route,
    RouteMatch,
    StringMatch,
    VirtualHost,
    WeightedCluster,
)

TO_A = ClusterAction((WeightedCluster("a", 1),))
ALL = PathMatch("prefix", "")


def table(*matches: RouteMatch) -> RouteTable:
    routes = tuple(Route(match, TO_A, f"r{i}", i) for i, match in enumerate(matches))
    return RouteTable(VirtualHost("vh", ("*",), routes))


def never(_: int) -> int:
    raise AssertionError("nothing is to be drawn here")


def fixed(number: int) -> Callable[[int], int]:
    return lambda _: number


CALL = CallHeaders("/s/m", "a", [("lane", "dev")])
LANE = HeaderMatch("lane", StringMatch("exact", "dev"))
OTHER = HeaderMatch("lane", StringMatch("exact", "qa"))
MISSING = HeaderMatch("user", StringMatch("exact", "jason"))


def test_routes_come_in_order_and_only_those_that_match() -> None:
    routes = table(
        RouteMatch(ALL, (OTHER,)),
        RouteMatch(ALL, (LANE,)),
        RouteMatch(PathMatch("exact", "/other")),
        RouteMatch(ALL),
    )
    assert [route.name for route in routes.matches(CALL, never)] == ["r1", "r3"]


@pytest.mark.parametrize(
    ("numerator", "denominator", "drawn", "matches"),
    [
        (0, 100, 0, False),
        (1, 100, 0, True),
        (1, 100, 1, False),
        (50, 100, 49, True),
        (50, 100, 50, False),
        (100, 100, 99, True),
        (1, 1_000_000, 0, True),
        (1, 1_000_000, 1, False),
    ],
)
def test_a_fraction_is_strictly_less(numerator: int, denominator: int, drawn: int, matches: bool) -> None:
    routes = table(RouteMatch(ALL, fraction=Fraction(numerator, denominator)))
    asked: list[int] = []

    def draw(bound: int) -> int:
        asked.append(bound)
        return drawn

    assert bool(list(routes.matches(CALL, draw))) is matches
    assert asked == [denominator]


def test_nothing_is_drawn_for_a_route_that_fails_otherwise() -> None:
    routes = table(
        RouteMatch(ALL, (OTHER,), Fraction(50)),
        RouteMatch(PathMatch("exact", "/other"), (), Fraction(50)),
        RouteMatch(ALL, (), Fraction(50), (QueryMatch("q"),)),
    )
    assert list(routes.matches(CALL, never)) == []
    assert [step.matched for step in routes.explain(CALL, never)] == [False, False, False]


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        (RouteMatch(ALL), "matches"),
        (RouteMatch(PathMatch("exact", "/x")), "path '/s/m' is not exact '/x'"),
        (RouteMatch(ALL, (LANE, OTHER)), "header 'lane' exact 'qa': it is 'dev'"),
        (RouteMatch(ALL, (MISSING,)), "header 'user' exact 'jason': it is missing"),
        (RouteMatch(ALL, (), Fraction(1)), "outside its runtime_fraction this time"),
        (
            RouteMatch(ALL, (), query=(QueryMatch("q", PresentMatch(False)),)),
            "it asks for query parameters, which a gRPC call never has",
        ),
    ],
)
def test_the_reason_of_a_step(match: RouteMatch, reason: str) -> None:
    (step,) = table(match).explain(CALL, fixed(99))
    assert (step.reason, step.matched) == (reason, reason == "matches")


WORDS = st.sampled_from(["", "dev", "qa", "5", "-3", "/s/m", "/s/x", "/s"])
STRINGS: st.SearchStrategy[Any] = st.builds(
    StringMatch,
    st.sampled_from(["exact", "prefix", "suffix", "contains", "regex"]),
    st.sampled_from(["", "dev", "d", "v", "5"]),
    st.booleans(),
)
HEADERS = st.builds(
    HeaderMatch,
    st.sampled_from(["lane", "user", "n", "x-bin", ":path", "content-type"]),
    st.one_of(
        STRINGS, st.builds(RangeMatch, st.integers(-5, 5), st.integers(-5, 9)), st.builds(PresentMatch)
    ),
    st.booleans(),
    st.booleans(),
)
PATHS: st.SearchStrategy[Any] = st.builds(
    PathMatch,
    st.sampled_from(["prefix", "exact", "regex", "path_separated_prefix"]),
    st.sampled_from(["", "/", "/s", "/s/m", "/S/M"]),
    st.booleans(),
)
MATCHES = st.builds(
    RouteMatch,
    PATHS,
    st.lists(HEADERS, max_size=3).map(tuple),
    st.none() | st.builds(Fraction, st.integers(0, 100)),
    st.lists(
        st.builds(QueryMatch, st.sampled_from("qrs"), STRINGS | st.builds(PresentMatch, st.booleans())),
        max_size=2,
    ).map(tuple),
    st.booleans(),
)
METADATA = st.lists(st.tuples(st.sampled_from(["lane", "Lane", "user", "n", "x-bin"]), WORDS), max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(MATCHES, max_size=5), WORDS, METADATA, st.integers(0, 2**16), st.booleans())
def test_explain_and_matches_agree(
    matches: list[RouteMatch], path: str, metadata: list[tuple[str, str]], seed: int, http: bool
) -> None:
    routes, call = table(*matches), CallHeaders(path, "a", metadata)
    if http:
        call = RequestHeaders("GET", f"{path}?q=dev&r", "a", metadata)
    matched = [route.index for route in routes.matches(call, random.Random(seed).randrange)]
    steps = list(routes.explain(call, random.Random(seed).randrange))
    assert [step.route.index for step in steps if step.matched] == matched
    assert [step.route.index for step in steps] == list(range(len(matches)))
    assert all((step.reason == "matches") == step.matched for step in steps)
