"""The index over a table's routes, and the regex it looks into: both say what trying them all would say."""

from __future__ import annotations

from typing import Any

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from proxyless.match import CallHeaders, RouteTable
from proxyless.match.index import RouteIndex, keys_of
from proxyless.members import Member, member_of
from proxyless.resources import (
    ClusterAction,
    Fraction,
    HeaderMatch,
    PathMatch,
    PresentMatch,
    RangeMatch,
    Route,
    RouteMatch,
    StringMatch,
    VirtualHost,
    WeightedCluster,
)
from proxyless.steps import finish

from lanes.render import lane_regex

TO_C = ClusterAction((WeightedCluster("c", 1),))

# --- the form ---------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["env", "e", "x-lane", "a.b", "user*"])
LANES = st.sampled_from(["dev", "dev2", "d", "v1.2+x", "50%25", "a|b", "(x)"])
PIECES = [
    "env",
    "e",
    "x-lane",
    "a.b",
    "aXb",
    "user*",
    "=",
    "dev",
    "dev2",
    "d",
    "v1.2+x",
    "(x)",
    "50%25",
    ",",
    ";",
    " ",
    "\t",
    "\n",
    "é",
    "ttl=1",
    "env=dev",
    "\\",
]
HEADERS = st.lists(st.sampled_from([*PIECES, "a|b", ",", "="]), max_size=12).map("".join)


@settings(max_examples=1000)
@given(key=KEYS, lane=LANES, header=HEADERS)
@example("env", "dev", "user=7, env = dev ;ttl=1 , x=y")
@example("env", "dev", "someenv=dev,env=dev2,env=dev=1,env;x=dev")
def test_it_says_what_re2_says(key: str, lane: str, header: str) -> None:
    pattern = lane_regex(key, lane)
    member = member_of(pattern)
    assert member == Member(key, lane)
    assert member.stands_in(header) == (re2.fullmatch(pattern, header) is not None)


FORM = lane_regex("env", "dev")


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "dev",
        ".*env=dev.*",
        FORM.replace("dev", "d.v"),
        FORM.replace("dev", "d[e]v"),
        FORM.replace("dev", "de?v"),
        FORM.replace("dev", r"\d"),
        FORM.replace("dev", "de,v"),
        FORM.replace("dev", "d=v"),
        FORM.replace("env", "e;v"),
        FORM.replace("dev", "de v"),
        FORM.replace("dev", "dév"),
        FORM.replace("dev", ""),
        FORM.replace("dev", "x" * 5000),
        "(?i)" + FORM,
        FORM + "$",
        FORM[:-1],
        FORM[1:],
    ],
)
def test_any_other_regex_is_left_to_re2(pattern: str) -> None:
    assert member_of(pattern) is None


# --- the index --------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["", "a", "b", "dev", "/s/m", "env=a", "env=a,x=b", "x=a;p,env=b", "7"])
NAMES = st.sampled_from(["h", "baggage", ":path", "content-type", "no"])
LANES_HERE = st.sampled_from([lane_regex(key, lane) for key in ("env", "x") for lane in ("a", "b", "dev")])
TESTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(StringMatch, st.sampled_from(["exact", "prefix", "suffix", "contains"]), WORDS, st.booleans()),
    st.builds(StringMatch, st.just("regex"), LANES_HERE | st.sampled_from([".*a", ".*b"])),
    st.just(RangeMatch(0, 10)),
    st.builds(PresentMatch, st.booleans()),
)
PATHS = st.builds(
    PathMatch,
    st.sampled_from(["prefix", "exact"]),
    st.sampled_from(["", "/", "/s/m", "/S/m"]),
    st.booleans(),
)
MATCHES = st.builds(
    RouteMatch,
    PATHS,
    st.lists(st.builds(HeaderMatch, NAMES, TESTS, st.booleans(), st.booleans()), max_size=3).map(tuple),
    st.sampled_from([None, None, Fraction(0), Fraction(100)]),
)
METADATA = st.lists(st.tuples(st.sampled_from(["h", "baggage"]), WORDS), max_size=4)


@settings(max_examples=300)
@given(
    matches=st.lists(MATCHES, min_size=9, max_size=20),
    metadata=METADATA,
    path=st.sampled_from(["/s/m", "/x"]),
)
def test_it_finds_what_trying_all_routes_finds(
    matches: list[RouteMatch], metadata: list[tuple[str, str]], path: str
) -> None:
    routes = tuple(Route(match, TO_C, index=i) for i, match in enumerate(matches))
    table = RouteTable(VirtualHost("vh", ("*",), routes))
    call = CallHeaders(path, "a", metadata)
    tried = [step.route for step in table.explain(call, lambda n: 0) if step.matched]
    assert list(table.matches(call, lambda n: 0)) == tried


def lanes(n: int) -> list[RouteMatch]:
    prefix = PathMatch("prefix", "/")
    matches = [
        RouteMatch(prefix, (HeaderMatch("baggage", StringMatch("regex", lane_regex("env", f"l{i}"))),))
        for i in range(n)
    ]
    return [*matches, RouteMatch(prefix)]


def index_of(matches: list[RouteMatch]) -> RouteIndex:
    return finish(RouteIndex.building([keys_of(match) for match in matches]))


def test_of_ten_thousand_lanes_a_call_tries_its_own_and_base() -> None:
    index = index_of(lanes(10_000))
    call = CallHeaders("/s/m", "a", [("baggage", "user=7"), ("baggage", "env=l9999;ttl=1")])
    assert list(index.candidates(call)) == [9_999, 10_000]
    assert list(index.candidates(CallHeaders("/s/m", "a"))) == [10_000]


def test_a_route_is_found_by_the_rarest_of_what_it_insists_on() -> None:
    path = PathMatch("exact", "/s/m")
    matches = [RouteMatch(path, (HeaderMatch("user", StringMatch("exact", f"u{i}")),)) for i in range(100)]
    index = index_of(matches)
    assert list(index.candidates(CallHeaders("/s/m", "a", [("user", "u7")]))) == [7]
    assert list(index.candidates(CallHeaders("/s/m", "a", [("user", "nobody")]))) == []
