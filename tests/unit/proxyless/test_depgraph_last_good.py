"""What was good serves on until what replaces it can."""

from __future__ import annotations

from typing import Any

import pytest
from proxyless.depgraph import AggregateConfig, ClusterConfig, Config, Failed, Pending
from proxyless.held import State
from proxyless.resources import (
    AggregateDiscovery,
    Cluster,
    DnsDiscovery,
    EdsDiscovery,
    Listener,
)
from proxyless.steps import finish

from tests.unit.proxyless.world import CDS, EDS, LDS, RDS, World, endpoints, routes


def test_a_stream_that_is_down_takes_nothing_away() -> None:
    world = World().whole("a")
    before = world.config()
    world.error = "UNAVAILABLE: refused"
    assert world.resolve() == before
    world.has(LDS, Listener("l", "r2"))
    assert world.resolve() == before


def test_the_last_good_routes_serve_until_the_new_ones_arrive() -> None:
    world = World().whole("a")
    before = world.config()
    world.has(LDS, Listener("l", "r2"))
    assert world.config() == before
    assert world.needs == {"LDS l", "RDS r", "RDS r2", "CDS a", "EDS e-a"}
    world.has(EDS, endpoints("e-a", 1, 2))  # the old routes' endpoints stay current
    after = world.config()
    assert after.route_config is before.route_config
    assert after.clusters["a"] == ClusterConfig(Cluster("a", EdsDiscovery("e-a")), endpoints("e-a", 1, 2))
    world.has(RDS, routes("a", name="r2"))
    assert world.config().route_config.name == "r2"
    assert world.needs == {"LDS l", "RDS r2", "CDS a", "EDS e-a"}


def prepared(world: World) -> Config:
    """The configuration, its table made in steps and what was replaced cleared, as the client does."""
    finish(world.target.preparing(world.lookup))
    config = world.config()
    finish(world.target.clearing())
    return config


def compiled(config: Config) -> bool:
    return any(rule is not None for rule in config.table._rules)


def test_a_table_is_emptied_once_another_is_in_force() -> None:
    world = World().whole("a")
    first = prepared(world)
    assert compiled(first)
    world.has(LDS, Listener("l", "r2", max_stream_duration=1.0))
    world.becomes(RDS, "r2", State.REQUESTED)
    assert prepared(world).table is first.table and compiled(first)
    world.has(RDS, routes("a", "a", name="r2"))
    second = prepared(world)
    assert second.table is not first.table
    assert compiled(second) and not compiled(first)


def test_good_routes_take_effect_beside_a_cluster_that_is_still_to_come() -> None:
    world = World().whole("a")
    world.config()
    world.has(RDS, routes("a", "new"))
    after = world.config()
    assert len(after.table.virtual_host.routes) == 2
    assert isinstance(after.clusters["a"], ClusterConfig)
    assert after.clusters["new"] == Pending("CDS resource 'new'")


def test_the_last_good_endpoints_serve_until_the_new_ones_arrive() -> None:
    world = World().whole("a")
    before = world.config().clusters["a"]
    world.has(CDS, Cluster("a", EdsDiscovery("e-new")))
    assert world.config().clusters["a"] is before
    assert {"EDS e-a", "EDS e-new"} <= world.needs
    world.has(EDS, endpoints("e-new", 7))
    assert world.config().clusters["a"] == ClusterConfig(
        Cluster("a", EdsDiscovery("e-new")), endpoints("e-new", 7)
    )
    assert "EDS e-a" not in world.needs


def test_the_last_good_endpoints_go_with_their_own_news() -> None:
    world = World().whole("a")
    world.config()
    world.has(CDS, Cluster("a", EdsDiscovery("e-new")))
    world.config()
    world.has(EDS, endpoints("e-a", 1, 2))
    assert world.config().clusters["a"] == ClusterConfig(
        Cluster("a", EdsDiscovery("e-a")), endpoints("e-a", 1, 2)
    )


def test_the_last_good_aggregate_serves_until_the_new_one_can() -> None:
    world = World().whole("x").has(CDS, Cluster("a", EdsDiscovery("e-a"))).has(EDS, endpoints("e-a", 1))
    old, new = (Cluster("x", AggregateDiscovery((name,))) for name in "ab")
    world.has(CDS, old)
    assert world.config().clusters["x"] == AggregateConfig(old, ("a",))
    world.has(CDS, new)
    assert world.config().clusters["x"] == AggregateConfig(old, ("a",))
    assert {(CDS, "a"), (EDS, "e-a"), (CDS, "b")} <= world.target.needs
    world.has(CDS, Cluster("b", EdsDiscovery("e-b"))).has(EDS, endpoints("e-b", 2))
    assert world.config().clusters["x"] == AggregateConfig(new, ("b",))
    assert (CDS, "a") not in world.target.needs


def test_an_aggregate_does_not_turn_to_a_part_that_is_still_to_come() -> None:
    world = World().whole("x", "b")
    both = Cluster("x", AggregateDiscovery(("a", "b")))
    world.has(CDS, both).becomes(CDS, "a", State.ABSENT)
    assert world.config().clusters["x"] == AggregateConfig(both, ("a", "b"))
    world.has(CDS, Cluster("a", EdsDiscovery("e-a")))
    assert world.config().clusters["x"] == AggregateConfig(both, ("b",))
    world.has(EDS, endpoints("e-a", 1))
    assert world.config().clusters["x"] == AggregateConfig(both, ("a", "b"))


def test_a_cluster_that_changes_its_kind_serves_on_meanwhile() -> None:
    world = World().whole("x", "a")
    aggregate, plain = Cluster("x", AggregateDiscovery(("a",))), Cluster("x", EdsDiscovery("e-new"))
    world.has(CDS, aggregate)
    assert isinstance(world.config().clusters["x"], AggregateConfig)
    world.has(CDS, plain)
    assert world.config().clusters["x"] == AggregateConfig(aggregate, ("a",))
    world.has(EDS, endpoints("e-new", 3))
    assert world.config().clusters["x"] == ClusterConfig(plain, endpoints("e-new", 3))
    world.has(CDS, Cluster("x", AggregateDiscovery(("y",))))
    assert world.config().clusters["x"] == ClusterConfig(plain, endpoints("e-new", 3))


def test_an_aggregate_that_has_never_served_is_not_kept_for_a_part_further_down() -> None:
    world = World().whole("x", "b")
    world.has(RDS, routes("x")).has(CDS, Cluster("x", AggregateDiscovery(("inner", "b"))))
    assert _first_leaf(world) == Pending("CDS resource 'inner'")
    world.has(CDS, Cluster("inner", AggregateDiscovery(("none", "a"))))
    assert _first_leaf(world) == Pending("CDS resource 'none'")


def _first_leaf(world: World) -> Any:
    """What a call to x meets first."""
    clusters = world.config().clusters
    x = clusters["x"]
    assert isinstance(x, AggregateConfig)
    return clusters[x.leaves[0]]


def test_of_an_aggregate_that_is_gone_nothing_is_kept() -> None:
    world = World().whole("x", "a").has(CDS, Cluster("x", AggregateDiscovery(("a",))))
    world.config()
    world.becomes(CDS, "a", State.ABSENT)
    now = Cluster("x", AggregateDiscovery(("b",)))
    world.has(CDS, now)
    assert world.config().clusters["x"] == AggregateConfig(now, ("b",))


def test_a_host_name_serves_on_while_its_cluster_becomes_another() -> None:
    world = World().whole("x")
    named = Cluster("x", DnsDiscovery("a.test", 80))
    world.has(CDS, named)
    assert world.config().clusters["x"] == ClusterConfig(named, None)
    world.has(CDS, Cluster("x", EdsDiscovery("e-new")))
    assert world.config().clusters["x"] == ClusterConfig(named, None)


# --- a change that the control plane does not bring to its end --------------------------------------------

DOWN = "UNAVAILABLE: refused"


def test_what_was_in_force_before_is_kept_until_the_new_routes_are_whole() -> None:
    world = World().whole("a")
    old = world.config()
    world.has(RDS, routes("new"))
    now = world.config()
    assert now.before is not None and now.before.before is None
    assert now.before.table is old.table and now.table is not old.table
    assert now.cut_off == frozenset()  # while there is a control plane, calls wait for what it says
    assert world.needs == {"LDS l", "RDS r", "CDS new", "CDS a", "EDS e-a"}
    world.has(EDS, endpoints("e-a", 1, 2))  # its endpoints stay current
    now = world.config()
    assert now.before is not None
    assert now.before.clusters["a"] == ClusterConfig(
        Cluster("a", EdsDiscovery("e-a")), endpoints("e-a", 1, 2)
    )
    world.has(CDS, Cluster("new", EdsDiscovery("e-new")))
    assert world.config().before is not None
    world.has(EDS, endpoints("e-new", 3))
    assert world.config().before is None
    assert world.needs == {"LDS l", "RDS r", "CDS new", "EDS e-new"}


@pytest.mark.parametrize("known", [False, True], ids=["cluster", "endpoints"])
def test_calls_are_decided_by_it_while_nobody_can_be_asked(known: bool) -> None:
    world = World().whole("a", "b")
    world.config()
    world.has(RDS, routes("new", "a"))
    if known:
        world.has(CDS, Cluster("new", EdsDiscovery("e-new")))
    waiting = world.config()
    world.error = DOWN
    now = world.config()
    assert now.cut_off == {"new"}  # a is ready: its route stays in force
    what = "EDS resource 'e-new'" if known else "CDS resource 'new'"
    assert now.clusters["new"] == Failed(f"{what} cannot be had: {DOWN}", transient=True, cut_off=True)
    assert now.before is not None and isinstance(now.before.clusters["b"], ClusterConfig)
    assert {"CDS b", "EDS e-b"} <= world.needs
    world.error = ""
    assert world.config() == waiting


def test_a_cluster_that_is_late_is_not_one_that_nobody_can_be_asked_for() -> None:
    world = World().whole("a")
    world.config()
    world.has(RDS, routes("new")).becomes(CDS, "new", State.OVERDUE, "slow")
    now = world.config()
    assert now.before is not None and now.cut_off == frozenset()
    world.error = DOWN
    assert world.config().cut_off == frozenset()


def test_what_the_control_plane_says_is_not_there_has_been_settled() -> None:
    world = World().whole("a")
    world.config()
    world.has(RDS, routes("new"))
    world.config()
    world.becomes(CDS, "new", State.ABSENT)
    assert world.config().before is None
    world.error = DOWN
    assert world.config().before is None


def test_of_several_changes_what_was_whole_before_them_all_is_kept() -> None:
    world = World().whole("a")
    old = world.config()
    for name in ("one", "two", "three"):
        world.has(RDS, routes(name))
        now = world.config()
        assert now.before is not None and now.before.table is old.table
    assert world.needs == {"LDS l", "RDS r", "CDS three", "CDS a", "EDS e-a"}
    world.has(RDS, routes("a"))
    assert world.config().before is None


def test_of_several_changes_none_of_which_was_whole_the_last_is_kept() -> None:
    world = World().whole("b").has(RDS, routes("a"))
    world.config()
    world.has(RDS, routes("b", "one"))
    middle = world.config()
    world.has(RDS, routes("two"))
    now = world.config()
    assert now.before is not None and now.before.table is middle.table
    assert isinstance(now.before.clusters["b"], ClusterConfig)


def test_it_is_kept_while_the_routes_after_the_next_are_on_their_way() -> None:
    world = World().whole("a")
    old = world.config()
    world.has(RDS, routes("new"))
    middle = world.config()
    world.has(LDS, Listener("l", "r2"))
    now = world.config()
    assert now.table is middle.table
    assert now.before is not None and now.before.table is old.table


def test_an_aggregate_is_cut_off_where_one_of_its_parts_is() -> None:
    world = World().whole("a", "b")
    world.config()
    world.has(RDS, routes("x", "y")).has(CDS, Cluster("x", AggregateDiscovery(("a", "new"))))
    world.has(CDS, Cluster("y", AggregateDiscovery(("a", "b"))))
    world.error = DOWN
    assert world.config().cut_off == {"x"}


def test_a_first_configuration_has_none_before_it() -> None:
    world = World().whole("a")
    world.has(RDS, routes("a", "new"))
    world.error = DOWN
    assert (world.config().before, world.config().cut_off) == (None, frozenset())


def test_a_refused_version_leaves_the_last_good_one_in_force() -> None:
    world = World().whole("a")
    before = world.config()
    for kind, name in list(world.held):
        world.becomes(kind, name, State.NACKED, "bad")
    assert world.config() == before
