"""Which lanes are labels of metrics."""

from __future__ import annotations

import pytest
from proxyless.resources import (
    HeaderMatch,
    PathMatch,
    Route,
    RouteConfig,
    RouteMatch,
    StringMatch,
    VirtualHost,
)
from proxyless.resources.routes import ClusterAction, WeightedCluster

from lanes.render import lane_regex
from lanes.spec import lane_name_fault
from telemetry.lane_labels import KnownLanes, Labelled, lanes_of


def table(name: str, *matches: HeaderMatch) -> RouteConfig:
    action = ClusterAction((WeightedCluster("v1", 1),))
    routes = tuple(Route(RouteMatch(PathMatch("prefix", ""), (match,)), action) for match in matches)
    return RouteConfig(name, (VirtualHost("vh", ("*",), routes),))


def lane(name: str, key: str = "env", header: str = "baggage", invert: bool = False) -> HeaderMatch:
    return HeaderMatch(header, StringMatch("regex", lane_regex(key, name)), invert)


def test_lanes_are_what_rules_on_baggage_want_of_the_key() -> None:
    config = table(
        "reviews",
        lane("dev"),
        lane("a.b"),
        lane("other-key", key="team"),
        lane("other-header", header="x-lane"),
        lane("all-but", invert=True),
        HeaderMatch("baggage", StringMatch("exact", "env=plain")),
        HeaderMatch("baggage", StringMatch("regex", ".*env=home-made.*")),
    )
    assert lanes_of(config, "env") == {"dev", "a.b", "plain"}
    assert lanes_of(config, "team") == {"other-key"}


def test_a_lane_that_no_route_knows_is_other() -> None:
    tables = [table("reviews", lane("dev"))]
    known = KnownLanes("env", lambda: tables)
    assert [known.label(each) for each in (None, "base", "dev", "qa")] == ["base", "base", "dev", "other"]
    tables.append(table("ratings", lane("qa"), lane("dev")))
    assert known.label("qa") == "other"  # nobody has said that anything changed
    known.changed()
    assert known.label("qa") == "qa"
    assert known.by_table() == {"reviews": {"dev"}, "ratings": {"qa", "dev"}}
    del tables[1]
    known.changed()
    assert known.label("qa") == "other"


def test_a_process_that_holds_no_routes_knows_base_only_unless_told_otherwise() -> None:
    known = KnownLanes("env")
    assert (known.label(None), known.label("dev")) == ("base", "other")
    assert known.by_table() == {}


MADE_UP = [f"made-up-{number}" for number in range(10_000)]


@pytest.mark.parametrize("most", [0, 1, 20])
def test_without_routes_the_first_that_come_by_are_labels_and_no_more(most: int) -> None:
    named = frozenset({"qa", "late"})
    known = KnownLanes("env", labelled=Labelled(named, most, lambda name: lane_name_fault(name) is None))
    invalid = ["", "Not <One>", "x" * 64, "a.b"]
    assert [known.label(each) for each in (*invalid, "base", None, "qa")] == ["other"] * 4 + ["base"] * 2 + [
        "qa"
    ]
    first = [known.label(lane) for lane in MADE_UP]
    assert first == MADE_UP[:most] + ["other"] * (len(MADE_UP) - most)
    # Nobody gives way to those who come later, and time sets nobody free.
    assert [known.label(lane) for lane in reversed(MADE_UP)] == first[::-1]
    assert (known.label("qa"), known.label("late")) == ("qa", "late")


def test_with_routes_a_flood_displaces_nothing_and_is_other() -> None:
    tables = [table("reviews", lane("dev"))]
    known = KnownLanes("env", lambda: tables, Labelled(frozenset({"named"}), 20))
    assert {known.label(lane) for lane in MADE_UP} == {"other"}
    tables.append(table("ratings", lane("qa")))
    known.changed()
    assert [known.label(each) for each in ("dev", "qa", "named")] == ["dev", "qa", "named"]


def test_what_came_by_before_there_were_routes_is_no_label_once_there_are() -> None:
    known = KnownLanes("env", labelled=Labelled(most=20))
    assert known.label("made-up") == "made-up"
    known.routes = lambda: [table("reviews", lane("dev"))]
    known.changed()
    assert (known.label("made-up"), known.label("dev")) == ("other", "dev")
