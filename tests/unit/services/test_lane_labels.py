"""Which lanes are labels of metrics."""

from __future__ import annotations

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
from telemetry.lane_labels import KnownLanes, lanes_of


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


def test_a_process_that_holds_no_routes_knows_base_only() -> None:
    known = KnownLanes("env")
    assert (known.label(None), known.label("dev")) == ("base", "other")
