"""LDS → RDS → CDS → EDS folded into one configuration, part by part."""

from __future__ import annotations

from msgspec.structs import replace
from proxyless.depgraph import ClusterConfig, Failed, Pending
from proxyless.held import Held, State
from proxyless.resources import (
    AggregateDiscovery,
    Cluster,
    ClusterAction,
    EdsDiscovery,
    Listener,
    OtherAction,
    Route,
    RouteConfig,
    VirtualHost,
    WeightedCluster,
)

from tests.unit.proxyless.world import ALL, CDS, EDS, LDS, RDS, World, endpoints, routes


def test_each_part_asks_for_the_next() -> None:
    world = World()
    assert world.resolve() == Pending("LDS resource 'l'")
    assert world.needs == {"LDS l"}
    world.has(LDS, Listener("l", "r"))
    assert world.resolve() == Pending("RDS resource 'r'")
    assert world.needs == {"LDS l", "RDS r"}
    world.has(RDS, routes("a", "b", "a"))
    assert world.config().clusters == {"a": Pending("CDS resource 'a'"), "b": Pending("CDS resource 'b'")}
    assert world.needs == {"LDS l", "RDS r", "CDS a", "CDS b"}
    world.has(CDS, Cluster("a", EdsDiscovery("e-a")))
    assert world.config().clusters["a"] == Pending("EDS resource 'e-a'")
    assert world.needs == {"LDS l", "RDS r", "CDS a", "CDS b", "EDS e-a"}
    world.has(EDS, endpoints("e-a", 1))
    assert world.config().clusters == {
        "a": ClusterConfig(Cluster("a", EdsDiscovery("e-a")), endpoints("e-a", 1)),
        "b": Pending("CDS resource 'b'"),
    }


def test_inline_routes_need_no_rds() -> None:
    world = World().has(LDS, Listener("l", None, routes("a")))
    assert world.config().route_config.name == "r"
    assert world.needs == {"LDS l", "CDS a"}


def test_what_needs_no_cluster_asks_for_none() -> None:
    host = VirtualHost(
        "vh",
        ("*",),
        (
            Route(ALL, OtherAction("redirect")),
            Route(ALL, ClusterAction((WeightedCluster("a", 1), WeightedCluster("zero", 0))), index=1),
        ),
    )
    world = World().has(LDS, Listener("l", None, RouteConfig("r", (host,))))
    assert set(world.config().clusters) == {"a"}


def test_a_missing_cluster_holds_up_no_other() -> None:
    world = World().whole("good", "bad")
    for kind, name in ((CDS, "bad"), (EDS, "e-bad")):
        for state, outcome in [
            (State.REQUESTED, Pending(f"{kind.value} resource {name!r}")),
            (State.ABSENT, Failed(f"{kind.value} resource {name!r} does not exist in the control plane")),
            (State.NACKED, Failed(f"{kind.value} resource {name!r} was refused: why")),
        ]:
            fresh = World().whole("good", "bad")
            del fresh.held[kind, name]
            fresh.becomes(kind, name, state, "why" if state is State.NACKED else "")
            clusters = fresh.config().clusters
            assert clusters["bad"] == outcome
            assert isinstance(clusters["good"], ClusterConfig)
    assert all(isinstance(each, ClusterConfig) for each in world.config().clusters.values())


def test_the_virtual_host_is_chosen_by_the_authority() -> None:
    world = World().has(LDS, Listener("l", "r")).has(RDS, routes("a", domain="other"))
    assert world.resolve() == Failed("no virtual host of route configuration 'r' serves 'a'")
    world.has(RDS, routes("a", domain="A"))
    assert world.config().table.virtual_host.domains == ("A",)


def test_a_first_part_that_is_missing_or_refused_fails_and_says_which() -> None:
    world = World().becomes(LDS, "l", State.ABSENT)
    assert world.resolve() == Failed("LDS resource 'l' does not exist in the control plane")
    world = World().has(LDS, Listener("l", "r")).becomes(RDS, "r", State.NACKED, "r: x: y")
    assert world.resolve() == Failed("RDS resource 'r' was refused: r: x: y")


def test_a_stream_that_is_down_fails_what_waits_for_it_but_not_for_good() -> None:
    world = World()
    world.error = "UNAVAILABLE: refused"
    assert world.resolve() == Failed("LDS resource 'l' cannot be had: UNAVAILABLE: refused", True, True)
    world.error = ""
    assert isinstance(world.resolve(), Pending)


def test_aggregates_more_than_16_deep_fail() -> None:
    chain = [Cluster(f"x{i}", AggregateDiscovery((f"x{i + 1}",))) for i in range(20)]
    world = World().whole("x0").has(CDS, *chain)
    assert world.config().clusters["x0"] == Failed("aggregate clusters stand more than 16 deep")


def test_clusters_that_contain_each_other_fail_by_the_names_they_go_by() -> None:
    """A wrapper may name a resource otherwise than it names itself."""
    world = World().whole("x")
    world.held[CDS, "x"] = Held(State.ACKED, Cluster("self", AggregateDiscovery(("x",))))
    assert world.config().clusters["x"] == Failed("aggregate cluster 'x' contains itself")


def test_deletion_is_no_pending() -> None:
    world = World().whole("a", "b")
    world.config()
    world.becomes(CDS, "a", State.ABSENT)
    clusters = world.config().clusters
    assert clusters["a"] == Failed("CDS resource 'a' does not exist in the control plane")
    assert isinstance(clusters["b"], ClusterConfig)
    world.becomes(LDS, "l", State.ABSENT)
    assert world.resolve() == Failed("LDS resource 'l' does not exist in the control plane")
    assert world.needs == {"LDS l"}


def test_what_did_not_change_stays_the_same_object() -> None:
    world = World().whole("a", "b")
    before = world.config()
    world.has(EDS, endpoints("e-b", 1, 2))
    after = world.config()
    assert after.clusters["a"] is before.clusters["a"]
    assert after.clusters["b"] is not before.clusters["b"]
    assert after.table is before.table
    other = VirtualHost("other", ("elsewhere",), ())
    world.has(RDS, replace(routes("a", "b"), virtual_hosts=(*routes("a", "b").virtual_hosts, other)))
    assert world.config().table is before.table  # its virtual host says the same: nothing to compile
    world.has(RDS, routes("b", "a"))
    assert world.config().table is not before.table
    assert world.config().clusters["a"] is before.clusters["a"]
