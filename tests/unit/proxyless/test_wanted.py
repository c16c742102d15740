"""What would have to change for a call to take a route: whatever call is proposed really takes it."""

from __future__ import annotations

from itertools import product

import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from proxyless.drafts import Draft, Metadata, RequestDraft
from proxyless.errors import UnknownRouteError
from proxyless.match import CallHeaders, RouteTable
from proxyless.match.examples import regex_example
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
from proxyless.wanted import Wanted, advise, find

from lanes.render import lane_regex

ALL = PathMatch("prefix", "")
DEV = HeaderMatch("baggage", StringMatch("regex", lane_regex("env", "dev")))
QA = HeaderMatch("baggage", StringMatch("regex", lane_regex("env", "qa")))
METHOD = "/s/m"


def table(*matches: RouteMatch, names: tuple[str, ...] = ()) -> RouteTable:
    action = ClusterAction((WeightedCluster("a", 1),))
    named = names or tuple(f"r{i}" for i in range(len(matches)))
    routes = tuple(Route(m, action, n, i) for i, (m, n) in enumerate(zip(matches, named, strict=True)))
    return RouteTable(VirtualHost("vh", ("*",), routes))


def asked(routes: RouteTable, index: int, metadata: Metadata = (), path: str = METHOD) -> Wanted:
    return advise(routes, routes.rules[index], Draft(path, "a", metadata))


def requested(match: RouteMatch, *before: RouteMatch, url: str = METHOD, verb: str = "GET") -> Wanted:
    """Ask for the last of these routes with a request."""
    routes = table(*before, match)
    path, mark, query = url.partition("?")
    return advise(
        routes, routes.rules[-1], RequestDraft(path, "a", (("x", "1"),), verb, query if mark else None)
    )


def proposed(wanted: Wanted) -> tuple[str, dict[str, str | bytes]]:
    assert wanted.call is not None, wanted.obstacle
    return wanted.call.path, dict(wanted.call.metadata)


def test_a_call_that_takes_it_already_stays_as_it_is() -> None:
    wanted = asked(table(RouteMatch(ALL, (DEV,)), RouteMatch(ALL)), 0, (("Baggage", "a=b,env=dev"),))
    assert proposed(wanted) == (METHOD, {"Baggage": "a=b,env=dev"})
    assert (wanted.unmet, wanted.before, wanted.share) == ((), (), 100)


def test_a_lane_gets_its_member_in_place_of_another_lanes() -> None:
    wanted = asked(table(RouteMatch(ALL, (DEV,))), 0, (("x", "1"), ("baggage", "env=dev2")))
    assert proposed(wanted) == (METHOD, {"x": "1", "baggage": "env=dev"})
    (unmet,) = wanted.unmet
    assert unmet.startswith("header 'baggage' regex") and unmet.endswith("it is 'env=dev2'")


def test_the_other_members_of_baggage_are_kept() -> None:
    routes = table(RouteMatch(ALL, (DEV,)), RouteMatch(ALL, (QA,)), RouteMatch(ALL))
    for own, lane in (("env=qa;ttl=1,user=7", "user=7,env=dev"), ("user=7", "user=7,env=dev")):
        assert proposed(asked(routes, 0, (("baggage", own),))) == (METHOD, {"baggage": lane})
    assert proposed(asked(routes, 2, (("baggage", "user=7,env=qa"),))) == (METHOD, {"baggage": "user=7"})
    assert proposed(asked(routes, 2, (("baggage", "env=qa"),))) == (METHOD, {})


def test_a_lane_before_base_has_to_fail() -> None:
    routes = table(RouteMatch(ALL, (DEV,)), RouteMatch(ALL, (QA,)), RouteMatch(ALL))
    wanted = asked(routes, 2, (("baggage", "env=qa"), ("x", "1")))
    assert wanted.unmet == ()
    (before,) = wanted.before
    assert before.startswith("route 'r1' comes first and takes it; to fail: header 'baggage' regex")
    assert before.endswith("(it is 'env=qa')")
    assert proposed(wanted) == (METHOD, {"x": "1"})


def test_every_condition_that_fails_is_told() -> None:
    match = RouteMatch(
        PathMatch("exact", "/other/m"),
        (
            HeaderMatch("user", StringMatch("exact", "jason")),
            HeaderMatch("age", RangeMatch(18, 21)),
            HeaderMatch("debug", PresentMatch(False)),
            HeaderMatch("kept", PresentMatch(True)),
        ),
    )
    wanted = asked(table(match), 0, (("user", "sue"), ("age", "17"), ("debug", ""), ("kept", "yes")))
    assert wanted.unmet == (
        "path '/s/m' is not exact '/other/m'",
        "header 'user' exact 'jason': it is 'sue'",
        "header 'age' in [18, 21): it is '17'",
        "header 'debug' absent: it is ''",
    )
    assert proposed(wanted) == ("/other/m", {"kept": "yes", "user": "jason", "age": "18"})


def test_several_conditions_on_one_header() -> None:
    match = RouteMatch(
        ALL,
        (
            HeaderMatch("x", StringMatch("prefix", "ab")),
            HeaderMatch("x", StringMatch("suffix", "ef")),
            HeaderMatch("x", StringMatch("contains", "CD", ignore_case=True)),
        ),
    )
    assert proposed(asked(table(match), 0)) == (METHOD, {"x": "abCDef"})


@pytest.mark.parametrize(
    ("match", "says"),
    [
        (RouteMatch(ALL, query=(QueryMatch("q"),)), "query parameters"),
        (RouteMatch(ALL, fraction=Fraction(0)), "its runtime_fraction is 0"),
        (RouteMatch(ALL, (HeaderMatch("x-bin", PresentMatch(True)),)), "do not see binary metadata"),
        (RouteMatch(ALL, (HeaderMatch(":authority", StringMatch("exact", "b")),)), "not the caller's"),
        (RouteMatch(ALL, (HeaderMatch("x", StringMatch("exact", "ä")),)), "no value could be made up"),
        (RouteMatch(ALL, (HeaderMatch("x y", PresentMatch(True)),)), "'x y' is no metadata key"),
        (RouteMatch(PathMatch("regex", r"/x\by")), "no path could be made up that is regex"),
    ],
)
def test_what_no_call_can_have(match: RouteMatch, says: str) -> None:
    wanted = asked(table(match), 0)
    assert wanted.call is None and says in wanted.obstacle


def test_behind_a_route_that_takes_everything() -> None:
    wanted = asked(table(RouteMatch(ALL), RouteMatch(ALL, (DEV,))), 1)
    assert wanted.call is None
    assert wanted.obstacle == "route 'r0' comes first and takes every such call"
    assert wanted.before == ("route 'r0' comes first and takes it; it fits every call",)


def test_with_fallback_a_route_before_may_leave_the_call() -> None:
    routes = table(RouteMatch(ALL, (DEV,)), RouteMatch(ALL, (DEV,)))
    call = Draft(METHOD, "a", (("baggage", "env=dev"),))
    wanted = advise(routes, routes.rules[1], call, fallback=True)
    assert wanted.call is None
    takes = "route 'r0' comes first and takes every such call, unless none of its clusters can serve it"
    assert wanted.obstacle == takes
    assert "takes it, unless none of its clusters can serve it; to fail: header" in wanted.before[0]


def test_shares_are_chances() -> None:
    routes = table(
        RouteMatch(ALL, fraction=Fraction(25)),
        RouteMatch(ALL, (DEV,), Fraction(10)),
        RouteMatch(ALL, fraction=Fraction(50)),
    )
    wanted = asked(routes, 2)
    assert wanted.share == pytest.approx(100 * 0.75 * 0.5)
    assert wanted.before == ("route 'r0' comes first and takes 25 % of such calls; it fits every call",)
    assert asked(routes, 1).share == pytest.approx(100 * 0.75 * 0.1)


def test_a_request_may_change_its_method_host_and_query() -> None:
    put = HeaderMatch(":method", StringMatch("exact", "PUT"))
    host = HeaderMatch(":authority", StringMatch("suffix", ".io"))
    queries = (QueryMatch("fast", PresentMatch(True)), QueryMatch("to", StringMatch("prefix", "b")))
    wanted = requested(RouteMatch(ALL, (put, host), query=queries), url="/s/m?to=a&x=1")
    assert wanted.unmet == (
        "header ':method' exact 'PUT': it is 'GET'",
        "header ':authority' suffix '.io': it is 'a'",
        "query parameter 'fast' is missing",
        "query parameter 'to' prefix 'b': it is 'a'",
    )
    assert wanted.call == RequestDraft(
        METHOD, "a", (("x", "1"), ("host", ".io")), "PUT", "x=1&fast=x&to=b"
    ), wanted.obstacle


def test_a_request_gets_past_a_route_by_its_method_or_query() -> None:
    get = RouteMatch(ALL, (HeaderMatch(":method", StringMatch("exact", "GET")),))
    wanted = requested(RouteMatch(ALL), get)
    assert isinstance(wanted.call, RequestDraft) and wanted.call.verb == "POST"
    fast = RouteMatch(ALL, query=(QueryMatch("fast"),))
    wanted = requested(RouteMatch(ALL), fast, url="/s/m?fast=1&x=2")
    assert isinstance(wanted.call, RequestDraft) and wanted.call.query == "x=2"
    assert wanted.before == (
        "route 'r0' comes first and takes it; to fail: query parameter 'fast' present (it is '1')",
    )


def host(name: str, pattern: str, *, invert: bool = False) -> HeaderMatch:
    return HeaderMatch(name, StringMatch("regex", pattern), invert)


def test_what_a_request_says_under_two_names() -> None:
    begins = HeaderMatch("host", StringMatch("prefix", "b"))
    ends = HeaderMatch(":authority", StringMatch("suffix", "c"))
    wanted = requested(RouteMatch(ALL, (begins, ends)))
    assert wanted.call is not None and wanted.call.headers.get("host") == "bc"


@pytest.mark.parametrize(
    ("match", "says"),
    [
        (RouteMatch(ALL, grpc=True), "gRPC calls only"),
        (RouteMatch(ALL, (HeaderMatch(":scheme", StringMatch("exact", "https")),)), "not the caller's"),
        (RouteMatch(ALL, (HeaderMatch("a b", StringMatch("exact", "x")),)), "is no header"),
        (RouteMatch(ALL, (HeaderMatch(":method", StringMatch("exact", "A B")),)), "no value could be"),
        (RouteMatch(ALL, query=(QueryMatch("q", StringMatch("exact", "a b")),)), "no value could be"),
        (RouteMatch(ALL, query=(QueryMatch("q"), QueryMatch("q", PresentMatch(False)))), "no value"),
        (RouteMatch(ALL, (host(":authority", ".*a", invert=True), host("host", ".*a"))), "no value"),
        (RouteMatch(ALL, (host(":path", "/a"),), query=(QueryMatch("q"),)), "undoes another"),
    ],
)
def test_what_no_request_can_have(match: RouteMatch, says: str) -> None:
    wanted = requested(match)
    assert wanted.call is None and says in wanted.obstacle


def test_routes_by_name_and_by_place() -> None:
    routes = table(RouteMatch(ALL), RouteMatch(ALL), RouteMatch(ALL), names=("a", "", "a"))
    assert [rule.route.index for rule in find(routes, "a")] == [0, 2]
    assert [rule.route.index for rule in find(routes, "#1")] == [1]
    for unknown in ("b", "", "#3"):
        with pytest.raises(
            UnknownRouteError, match=r"'vh' has no route .*; it has a \(#0\), \(#1\), a \(#2\)"
        ):
            find(routes, unknown)


# --- whatever is proposed is true -------------------------------------------------------------------------

words = st.sampled_from(["", "a", "b", "ab", "ba", "aB", "abc", "-", "1"])
regexes = st.sampled_from(
    [*(lane_regex("env", lane) for lane in "ab"), ".*a", "[^a]+", "(a|b){2}", "a?b*", r"\d+", "(?i)AB"]
)
names = st.sampled_from(["x", "y", "baggage", "z-bin", ":authority", ":method", ":path", "host"])
own_names = st.sampled_from(["x", "y", "baggage", "z-bin"])
tests = st.one_of(
    st.builds(StringMatch, st.sampled_from(["exact", "prefix", "suffix", "contains"]), words, st.booleans()),
    st.builds(StringMatch, st.just("regex"), regexes),
    st.builds(RangeMatch, st.integers(-2, 3), st.integers(-2, 3)),
    st.builds(PresentMatch, st.booleans()),
)
headers = st.builds(HeaderMatch, names, tests, st.booleans(), st.booleans())
queries = st.builds(
    QueryMatch,
    st.sampled_from("qr"),
    st.one_of(
        st.builds(StringMatch, st.sampled_from(["exact", "prefix", "suffix", "contains"]), words),
        st.builds(StringMatch, st.just("regex"), regexes),
        st.builds(PresentMatch, st.booleans()),
    ),
)
paths = st.one_of(
    st.just(ALL),
    st.builds(
        PathMatch,
        st.sampled_from(["prefix", "exact", "path_separated_prefix"]),
        st.sampled_from(["/", "/s", "/s/m", "/t/m"]),
    ),
    st.builds(PathMatch, st.just("regex"), st.sampled_from(["/.*", "/[a-z]/m", "/t/(m|n)"])),
)
fractions = st.sampled_from([None, None, None, Fraction(0), Fraction(50), Fraction(100)])
matches = st.builds(
    RouteMatch,
    paths,
    st.lists(headers, max_size=3).map(tuple),
    fractions,
    st.one_of(st.just(()), st.just(()), st.lists(queries, max_size=2).map(tuple)),
    st.sampled_from([False, False, True]),
)
metadata = st.lists(st.tuples(own_names, words | st.sampled_from(["env=a", "env=b,c=d"])), max_size=4).map(
    tuple
)


drafts = st.one_of(
    st.builds(Draft, st.just(METHOD), st.just("a"), metadata),
    st.builds(
        RequestDraft,
        st.just(METHOD),
        st.just("a"),
        metadata,
        st.sampled_from(["GET", "PUT"]),
        st.sampled_from([None, "", "q", "q=a&r=b", "r=ab&x=1&r=2"]),
    ),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(matches, min_size=1, max_size=5), drafts, st.data())
def test_a_proposed_call_takes_the_route(made: list[RouteMatch], own: Draft, data: st.DataObject) -> None:
    routes = table(*made)
    index = data.draw(st.integers(0, len(made) - 1))
    wanted = advise(routes, routes.rules[index], own)
    if wanted.call is None:
        assert wanted.obstacle
        return
    assert 0 < wanted.share <= 100 and not wanted.obstacle
    call = wanted.call.headers
    drawn: list[Fraction] = []

    def luck(bound: int) -> int:
        """Every rule before draws badly, the wanted one well."""
        drawn.append(Fraction(bound))
        return 0 if lucky else bound - 1

    lucky = False
    before = [route for route in routes.matches(call, luck) if route.index < index]
    assert before == []
    lucky = True
    assert index in [route.index for route in routes.matches(call, luck)]
    if wanted.share == 100:
        lucky = False
        assert next(routes.matches(call, luck)).index == index
    if not wanted.unmet and not wanted.before:
        assert wanted.call == own


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("xy"), st.sampled_from(["a", "b"]), st.booleans()), min_size=1, max_size=5
    ),
    st.sampled_from(["a", "b", "c", None]),
)
def test_where_values_are_exact_a_call_is_found_if_there_is_one(
    made: list[tuple[str, str, bool]], own: str | None
) -> None:
    routes = table(
        *(RouteMatch(ALL, (HeaderMatch(n, StringMatch("exact", v), inverted),)) for n, v, inverted in made)
    )
    wanted = asked(routes, len(made) - 1, (("x", own),) if own else ())
    possible = any(
        next(
            routes.matches(
                CallHeaders(METHOD, "a", [(n, v) for n, v in zip("xy", values, strict=True) if v]), max
            ),
            None,
        )
        is routes.rules[-1].route
        for values in product(["a", "b", "other", None], repeat=2)
    )
    assert (wanted.call is not None) == possible


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"ab01,=[]()|*+?.^$\{}-:", max_size=12))
def test_examples_of_any_regex_match_or_there_is_none(pattern: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        assume(False)
    example = regex_example(pattern)
    assert example is None or compiled.fullmatch(example)


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        (lane_regex("env", "v1.2"), "env=v1.2"),
        (r"^(.*?;)?(user=jason)(;.*)?$", "user=jason"),
        (r"[a-z]+-\d{3}", "x-000"),
        (r"(?i:a(?:b|c)+){2}", "abab"),
        (r"(?i)Foo|bar", "Foo"),
        (r"\bfoo\b", "foo"),
    ],
)
def test_the_examples_of_everyday_regexes_are_simple(pattern: str, example: str) -> None:
    assert regex_example(pattern) == example
