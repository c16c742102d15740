"""What is made in steps from what was there before is what is made of the new version alone."""

from __future__ import annotations

import gc
from ipaddress import ip_address
from typing import Any

import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from proxyless.errors import ResourceError
from proxyless.interest import Interest
from proxyless.match import CallHeaders, RouteTable
from proxyless.parse import Parsed, parse_resource, parsing
from proxyless.parse.shells import Shell
from proxyless.resources import Endpoints, Kind, RouteConfig
from proxyless.steps import finish

from lanes.render import lane_regex
from tests.fakes import resources as fake

NOTED = fake.route("c")
NOTED["route"]["timeout"] = "3s"
POOL: list[dict[str, Any]] = [
    fake.route("base", prefix="/"),
    fake.route("c", path="/s/m"),
    fake.route({"a": 1, "b": 2}, prefix="/s"),
    fake.route("c", safe_regex={"regex": "/s/.*"}),
    *(
        fake.route("c", headers=[fake.header("baggage", string_match={"safe_regex": {"regex": regex}})])
        for regex in (lane_regex("env", "a"), lane_regex("env", "b"), ".*env=c.*")
    ),
    *(fake.route(name, headers=[fake.header("h", exact_match=name)]) for name in "xyz"),
    NOTED,
]
REFUSED: list[dict[str, Any]] = [{"match": {"prefix": "/"}}, fake.route("c", safe_regex={"regex": "("})]
ROUTES = st.lists(st.sampled_from(POOL), max_size=14)
MAYBE_REFUSED = st.lists(st.sampled_from(POOL + REFUSED), max_size=14)
CALLS = [
    CallHeaders(path, "a", metadata)
    for path in ("/s/m", "/x")
    for metadata in ([], [("baggage", "env=b,env=a")], [("baggage", "env=c"), ("h", "y")], [("h", "x")])
]


def table_of(*hosts: list[dict[str, Any]]) -> RouteConfiguration:
    return RouteConfiguration(
        name="r",
        virtual_hosts=[fake.virtual_host(f"h{i}", [f"h{i}"], routes) for i, routes in enumerate(hosts)],
    )


def outcome(message: Any, before: Parsed | None) -> Parsed | str:
    """What becomes of a version, or why it is refused."""
    kind = Kind.ROUTE_CONFIG if isinstance(message, RouteConfiguration) else Kind.ENDPOINTS
    data = message.SerializeToString()
    try:
        return finish(parsing(kind, kind.type_url, data, lambda _: before))
    except ResourceError as error:
        return str(error)


@settings(deadline=None)
@given(st.lists(ROUTES, max_size=3), st.lists(MAYBE_REFUSED, max_size=3))
def test_routes_of_a_version_before_change_nothing(
    before: list[list[dict[str, Any]]], after: list[list[dict[str, Any]]]
) -> None:
    known = outcome(table_of(*before), None)
    assert isinstance(known, Parsed)
    assert outcome(table_of(*after), known) == outcome(table_of(*after), None)


def test_a_route_that_has_moved_keeps_its_match_and_its_action() -> None:
    known = parse_resource(Kind.ROUTE_CONFIG, fake.RDS, table_of(POOL[:4]).SerializeToString())
    moved = outcome(table_of([POOL[4], *POOL[:4]]), known)
    assert isinstance(moved, Parsed)
    assert isinstance(moved.resource, RouteConfig) and isinstance(known.resource, RouteConfig)
    routes = moved.resource.virtual_hosts[0].routes
    assert [route.index for route in routes] == [0, 1, 2, 3, 4]
    for now, was in zip(routes[1:], known.resource.virtual_hosts[0].routes, strict=True):
        assert now.match is was.match and now.action is was.action


def test_what_was_noted_is_noted_where_it_stands_now() -> None:
    known = parse_resource(Kind.ROUTE_CONFIG, fake.RDS, table_of([NOTED, POOL[0]]).SerializeToString())
    moved = outcome(table_of([POOL[0], NOTED]), known)
    assert isinstance(moved, Parsed)
    (note,) = moved.notes
    assert note.startswith("virtual_hosts[0].routes[1].route.timeout: ")


@settings(deadline=None)
@given(ROUTES, ROUTES)
def test_a_table_made_from_another_decides_as_one_made_alone(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    known = outcome(table_of(before), None)
    parsed = outcome(table_of(after), known if isinstance(known, Parsed) else None)
    assert isinstance(known, Parsed) and isinstance(known.resource, RouteConfig)
    assert isinstance(parsed, Parsed) and isinstance(parsed.resource, RouteConfig)
    old = RouteTable(known.resource.virtual_hosts[0])
    for call in CALLS:
        list(old.matches(call, lambda n: 0))  # so that some of its rules are compiled
    host = parsed.resource.virtual_hosts[0]
    table, alone = finish(RouteTable.building(host, old)), RouteTable(host)
    assert (table.names, table.clusters) == (alone.names, alone.clusters)
    assert [rule.route for rule in table.rules] == list(host.routes)
    for call in CALLS:
        taken = list(table.matches(call, lambda n: 0))
        assert taken == list(alone.matches(call, lambda n: 0))
        assert taken == [step.route for step in table.explain(call, lambda n: 0) if step.matched]


@settings(deadline=None)
@given(ROUTES)
def test_a_table_that_was_emptied_decides_as_before(routes: list[dict[str, Any]]) -> None:
    parsed = outcome(table_of(routes), None)
    assert isinstance(parsed, Parsed) and isinstance(parsed.resource, RouteConfig)
    table = RouteTable(parsed.resource.virtual_hosts[0])
    for call in CALLS:
        taken = list(table.matches(call, lambda n: 0))
        finish(table.emptying())
        assert list(table.matches(call, lambda n: 0)) == taken


@settings(deadline=None)
@given(ROUTES)
def test_whoever_knows_the_first_route_gets_the_same_others(routes: list[dict[str, Any]]) -> None:
    parsed = outcome(table_of(routes), None)
    assert isinstance(parsed, Parsed) and isinstance(parsed.resource, RouteConfig)
    table = RouteTable(parsed.resource.virtual_hosts[0])
    for call in CALLS:
        taken = list(table.matches(call, lambda n: 0))
        if taken:
            assert list(table.matches_from(taken[0], call, lambda n: 0)) == taken


def test_routes_are_nothing_to_the_garbage_collector() -> None:
    parsed = outcome(table_of(POOL), None)
    assert isinstance(parsed, Parsed) and isinstance(parsed.resource, RouteConfig)
    for route in parsed.resource.virtual_hosts[0].routes:
        assert not any(map(gc.is_tracked, (route, route.match, *route.match.headers)))


ENTRIES = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["HEALTHY", "DRAINING"])), max_size=5)


def assignment(localities: list[tuple[int, list[tuple[int, str]]]]) -> ClusterLoadAssignment:
    made = ClusterLoadAssignment(cluster_name="c")
    for i, (weight, entries) in enumerate(localities):
        locality = made.endpoints.add()
        locality.load_balancing_weight.value = weight
        locality.locality.zone = f"z{i}"
        for number, health in entries:
            fake.add_endpoint(locality, f"10.0.{i}.{number}:80", health)
    return made


LOCALITIES = st.lists(st.tuples(st.integers(0, 2), ENTRIES), max_size=3)


@settings(deadline=None)
@given(LOCALITIES, LOCALITIES)
def test_endpoints_of_a_version_before_change_nothing(
    before: list[tuple[int, list[tuple[int, str]]]], after: list[tuple[int, list[tuple[int, str]]]]
) -> None:
    known = outcome(assignment(before), None)
    with_it = outcome(assignment(after), known if isinstance(known, Parsed) else None)
    assert with_it == outcome(assignment(after), None)
    if isinstance(known, Parsed) and isinstance(with_it, Parsed) and not known.notes:
        assert isinstance(known.resource, Endpoints) and isinstance(with_it.resource, Endpoints)
        old = {each: each for place in known.resource.localities for each in place.endpoints}
        for each in (each for place in with_it.resource.localities for each in place.endpoints):
            assert old.get(each, each) is each


@pytest.mark.parametrize("text", ["1.2.3.4", "0.0.0.0", "255.255.255.255", "::1", "2001:DB8::1"])
def test_an_address_is_written_as_python_writes_it(text: str) -> None:
    parsed = parse_resource(
        Kind.ENDPOINTS, fake.EDS, fake.endpoints("c", f"{text}:80").SerializeToString()
    ).resource
    assert isinstance(parsed, Endpoints)
    assert parsed.localities[0].endpoints[0].ip == str(ip_address(text))


@pytest.mark.parametrize("text", ["01.2.3.4", "256.1.1.1", "1.2.3", "1.2.3.4\n", "١.2.3.4", "1.2.3.4.5"])
def test_what_python_does_not_take_for_an_address_is_none(text: str) -> None:
    with pytest.raises(ResourceError, match="is not an IP address"):
        parse_resource(Kind.ENDPOINTS, fake.EDS, fake.endpoints("c", f"{text}:80").SerializeToString())


# --- shells -----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(ROUTES, max_size=3), st.binary(max_size=3))
def test_a_shell_and_its_elements_are_the_message(hosts: list[list[dict[str, Any]]], text: bytes) -> None:
    whole = table_of(*hosts)
    ParseDict({"request_headers_to_remove": [text.hex()]}, whole)
    opened, elements = finish(Shell(RouteConfiguration, "virtual_hosts").opening(whole.SerializeToString()))
    assert not opened.virtual_hosts
    for each in elements:
        opened.virtual_hosts.add().ParseFromString(each)
    assert opened == whole


def test_a_broken_route_is_named_with_its_place() -> None:
    whole = table_of(POOL[:2]).SerializeToString()
    broken = whole.replace(b"/s/m", b"/s/\xff")
    with pytest.raises(ResourceError) as caught:
        parse_resource(Kind.ROUTE_CONFIG, fake.RDS, broken)
    assert (caught.value.resource, caught.value.field) == ("r", "virtual_hosts[0].routes[1]")
    assert "cannot be decoded as envoy.config.route.v3.Route" in caught.value.reason


# --- who needs what ---------------------------------------------------------------------------------------

NEEDS = st.frozensets(st.sampled_from([(kind, name) for kind in Kind for name in "ab"]))


@given(st.lists(st.tuples(st.integers(0, 2), NEEDS, st.booleans()), max_size=20))
def test_what_anybody_needs_is_watched(changes: list[tuple[int, frozenset[Any], bool]]) -> None:
    interest, needs, watched = Interest(), dict.fromkeys(range(3), frozenset[Any]()), set[Any]()
    for who, after, settles in changes:
        interest.changed(needs[who], after)
        needs[who] = after
        if settles:
            added, dropped = interest.settle()
            assert not added & watched and dropped <= watched
            watched = (watched | added) - dropped
            assert watched == frozenset().union(*needs.values())
