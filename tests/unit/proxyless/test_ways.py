"""The ways kept for calls that are alike: each is what deciding about the call by itself would give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from proxyless.depgraph import Config
from proxyless.match import CallHeaders, RouteTable
from proxyless.resources import (
    ClusterAction,
    FaultAbort,
    FaultFilter,
    FaultPolicy,
    Fraction,
    HashPolicy,
    HeaderEdits,
    HeaderMatch,
    Listener,
    MessageEdits,
    Mirror,
    PathMatch,
    RetryPolicy,
    Route,
    RouteConfig,
    RouteMatch,
    StringMatch,
    VirtualHost,
    WeightedCluster,
)
from proxyless.ways import LIMIT, Way, Ways

from tests.unit.proxyless.test_match_index import MATCHES, METADATA

ANY = RouteMatch(PathMatch("prefix", ""))
TO_C = ClusterAction((WeightedCluster("c", 1), WeightedCluster("idle", 0)))


def ways(*routes: Route, listener: Listener = Listener("l")) -> Ways[Way]:  # noqa: B008 - it is frozen
    host = VirtualHost("vh", ("*",), tuple(replace(each, index=i) for i, each in enumerate(routes)))
    config = Config(listener, RouteConfig("r", (host,)), RouteTable(host), {})
    return Ways(config, "a", lambda way: way)


def to(action: ClusterAction = TO_C, match: RouteMatch = ANY, **more: Any) -> Route:
    return Route(match, action, **more)


@settings(max_examples=300)
@given(
    matches=st.lists(MATCHES, min_size=1, max_size=12),
    calls=st.lists(st.tuples(st.sampled_from(["/s/m", "/x"]), METADATA), min_size=2, max_size=8),
)
def test_a_kept_way_is_the_first_route_that_matches(
    matches: list[RouteMatch], calls: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    kept = ways(*(to(match=match) for match in matches))
    table = kept.config.table
    for path, metadata in calls * 2:
        way = kept.of(path, [("x-noise", str(len(metadata))), *metadata])
        call = CallHeaders(path, "a", metadata)
        always = next(table.matches(call, lambda n: 0), None)
        never = next(table.matches(call, lambda n: n - 1), None)
        if way is not None:
            assert way.route is always is never
        elif always is not None and always is never:
            assert any(route.match.fraction for route in table.virtual_host.routes)


def test_only_clusters_with_a_weight_are_drawn() -> None:
    way = ways(to()).of("/s/m", ())
    assert way is not None and [each.name for each in way.clusters] == ["c"]


ABORT = FaultFilter("f", FaultPolicy(abort=FaultAbort(14, Fraction(100))))
EDITS = MessageEdits(request=HeaderEdits(remove=("x",)))


@pytest.mark.parametrize(
    "route",
    [
        to(replace(TO_C, mirrors=(Mirror("m", Fraction(1)),))),
        to(replace(TO_C, hash_policies=(HashPolicy("h"),))),
        to(replace(TO_C, retry=RetryPolicy(frozenset({"unavailable"}), 2, per_try_timeout=1.0))),
        to(faults=(ABORT,)),
        to(edits=EDITS),
        to(replace(TO_C, clusters=(WeightedCluster("c", 1), WeightedCluster("d", 1, edits=EDITS)))),
        to(match=replace(ANY, fraction=Fraction(1))),
    ],
    ids=["mirrored", "hashed", "limited tries", "fault", "edited", "one cluster edits", "drawn"],
)
def test_what_is_not_as_simple_is_decided_call_by_call(route: Route) -> None:
    kept = ways(route, to(), listener=Listener("l", faults=(FaultFilter("f", FaultPolicy()),)))
    assert kept.of("/s/m", ()) is None
    assert kept.of("/s/m", ()) is None


def test_a_fault_filter_that_injects_nothing_is_no_hindrance() -> None:
    assert ways(to(), listener=Listener("l", faults=(FaultFilter("f", FaultPolicy()),))).of("/s/m", ())


def test_headers_that_no_route_looks_at_make_no_difference_and_those_it_does_are_told_apart() -> None:
    made: list[Way] = []
    match = replace(ANY, headers=(HeaderMatch("h", StringMatch("exact", "1")),))
    host = ways(to(match=match), to()).config
    kept = Ways(host, "a", lambda way: made.append(way) or way)
    for request_id in range(10):
        kept.of("/s/m", [("x-request-id", str(request_id)), ("h", "1")])
    assert len(kept._kept) == 1
    for header, index in (([("h", "2")], 1), ([("h", "1"), ("h", "1")], 1), ([("h", "1")], 0)):
        way = kept.of("/s/m", header)  # a header twice is another value
        assert way is not None and way.route.index == index
    assert len(kept._kept) == 3
    # What comes of a route is made once for all of them, but a path of its own.
    assert [way.route.index for way in made] == [0, 1]
    kept.of("/s/other", [("h", "1")])
    assert [way.route.index for way in made] == [0, 1, 0]


def test_no_more_are_kept_than_so_many() -> None:
    match = replace(ANY, headers=(HeaderMatch("h", StringMatch("prefix", "1")),))
    kept = ways(to(match=match), to())
    for value in range(3 * LIMIT):
        way = kept.of("/s/m", [("h", str(value))])
        assert way is not None and way.route.index == (0 if str(value).startswith("1") else 1)
    assert len(kept._kept) == LIMIT
