"""LDS → RDS → CDS → EDS folded into one configuration, whatever arrives in whatever order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from proxyless.depgraph import AggregateConfig, ClusterConfig, Config, Dependencies, Failed, Key, Pending
from proxyless.held import Held, State
from proxyless.resources import (
    AggregateDiscovery,
    Cluster,
    ClusterAction,
    DnsDiscovery,
    EdsDiscovery,
    Endpoint,
    Endpoints,
    Kind,
    Listener,
    Locality,
    LocalityName,
    OtherAction,
    PathMatch,
    Route,
    RouteConfig,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)

LDS, RDS, CDS, EDS = Kind.LISTENER, Kind.ROUTE_CONFIG, Kind.CLUSTER, Kind.ENDPOINTS
ALL = RouteMatch(PathMatch("prefix", ""))


def routes(*clusters: str, name: str = "r", domain: str = "*") -> RouteConfig:
    made = tuple(
        Route(ALL, ClusterAction((WeightedCluster(each, 1),)), index=i) for i, each in enumerate(clusters)
    )
    return RouteConfig(name, (VirtualHost("vh", (domain,), made),))


def endpoints(name: str, *hosts: int) -> Endpoints:
    some = tuple(Endpoint(f"10.0.0.{host}", 80) for host in hosts)
    return Endpoints(name, (Locality(LocalityName(), 1, 0, some),))


class World:
    """What is held, as the machine would tell it, and one target in it."""

    def __init__(self) -> None:
        self.held: dict[Key, Held] = {}
        self.error = ""
        self.target = Dependencies("l", "a")

    def has(self, kind: Kind, *resources: Any) -> World:
        for each in resources:
            self.held[kind, each.name] = Held(State.ACKED, each, version="1")
        return self

    def whole(self, *clusters: str) -> World:
        """Everything the listener `l` needs for these clusters."""
        self.has(LDS, Listener("l", "r")).has(RDS, routes(*clusters))
        self.has(CDS, *(Cluster(c, EdsDiscovery(f"e-{c}")) for c in clusters))
        return self.has(EDS, *(endpoints(f"e-{c}", 1) for c in clusters))

    def becomes(self, kind: Kind, name: str, state: State, error: str = "") -> World:
        before = self.held.get((kind, name), Held())
        kept = before.resource if state is State.NACKED else None
        self.held[kind, name] = replace(before, state=state, resource=kept, error=error)
        return self

    def resolve(self) -> Any:
        self.target.resolve(lambda kind, name: self.held.get((kind, name)), self.error)
        return self.target.outcome

    def config(self) -> Config:
        outcome = self.resolve()
        assert isinstance(outcome, Config)
        return outcome

    @property
    def needs(self) -> set[str]:
        return {f"{kind.value} {name}" for kind, name in self.target.needs}


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
    assert world.resolve() == Failed("LDS resource 'l' cannot be had: UNAVAILABLE: refused", True)
    world.error = ""
    assert isinstance(world.resolve(), Pending)


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


def test_aggregates_more_than_16_deep_fail() -> None:
    chain = [Cluster(f"x{i}", AggregateDiscovery((f"x{i + 1}",))) for i in range(20)]
    world = World().whole("x0").has(CDS, *chain)
    assert world.config().clusters["x0"] == Failed("aggregate clusters stand more than 16 deep")


def test_a_host_name_serves_on_while_its_cluster_becomes_another() -> None:
    world = World().whole("x")
    named = Cluster("x", DnsDiscovery("a.test", 80))
    world.has(CDS, named)
    assert world.config().clusters["x"] == ClusterConfig(named, None)
    world.has(CDS, Cluster("x", EdsDiscovery("e-new")))
    assert world.config().clusters["x"] == ClusterConfig(named, None)


def test_clusters_that_contain_each_other_fail_by_the_names_they_go_by() -> None:
    """A wrapper may name a resource otherwise than it names itself."""
    world = World().whole("x")
    world.held[CDS, "x"] = Held(State.ACKED, Cluster("self", AggregateDiscovery(("x",))))
    assert world.config().clusters["x"] == Failed("aggregate cluster 'x' contains itself")


def test_a_refused_version_leaves_the_last_good_one_in_force() -> None:
    world = World().whole("a")
    before = world.config()
    for kind, name in list(world.held):
        world.becomes(kind, name, State.NACKED, "bad")
    assert world.config() == before


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


# --- any order --------------------------------------------------------------------------------------------

UPDATES = st.one_of(
    st.sampled_from(["r", "r2"]).map(lambda r: (LDS, Listener("l", r))),
    st.lists(st.sampled_from("abc"), max_size=3).map(lambda cs: (LDS, Listener("l", None, routes(*cs)))),
    st.tuples(st.sampled_from(["r", "r2"]), st.lists(st.sampled_from("abc"), max_size=3)).map(
        lambda x: (RDS, routes(*x[1], name=x[0]))
    ),
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")).map(
        lambda x: (CDS, Cluster(x[0], EdsDiscovery(x[1])))
    ),
    st.tuples(st.sampled_from("xyz"), st.integers(1, 3)).map(lambda x: (EDS, endpoints(*x))),
)
KEYS = st.sampled_from(
    [(LDS, "l"), (RDS, "r"), (RDS, "r2"), *((CDS, c) for c in "abc"), *((EDS, e) for e in "xyz")]
)
EVENTS = st.one_of(
    UPDATES.map(lambda update: ("has", *update)),
    st.tuples(st.just("becomes"), KEYS, st.sampled_from([State.NACKED, State.ABSENT])),
    st.tuples(st.just("stream"), st.sampled_from(["", "UNAVAILABLE: gone"])),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_any_sequence(events: list[Any]) -> None:
    world = World()
    for event in events:
        before = world.target.outcome
        if event[0] == "has":
            world.has(*event[1:])
        elif event[0] == "becomes":
            _, key, state = event
            world.becomes(*key, state, "bad" if state is State.NACKED else "")
        else:
            world.error = event[1]
        outcome = world.resolve()
        # What is no longer needed is no longer watched, and so no longer held.
        world.held = {key: held for key, held in world.held.items() if key in world.target.needs}
        if isinstance(outcome, Config):
            _check_config(world, outcome)
        if isinstance(before, Config):
            _check_nothing_good_is_dropped(world, before, outcome)
        again = world.resolve()
        assert again == outcome  # nothing changed: nothing changes


def _check_config(world: World, config: Config) -> None:
    routed = {
        cluster.name
        for route in config.table.virtual_host.routes
        if isinstance(route.action, ClusterAction)
        for cluster in route.action.clusters
    }
    assert set(config.clusters) == routed  # never a route to a cluster it knows nothing of
    assert config.table.virtual_host in config.route_config.virtual_hosts
    for name, each in config.clusters.items():
        assert (CDS, name) in world.target.needs
        if isinstance(each, ClusterConfig):
            discovery = each.cluster.discovery
            assert isinstance(discovery, EdsDiscovery) and each.endpoints is not None
            assert (each.cluster.name, each.endpoints.name) == (name, discovery.name)
            assert (EDS, discovery.name) in world.target.needs


def _check_nothing_good_is_dropped(world: World, before: Config, outcome: Any) -> None:
    assert not isinstance(outcome, Pending)
    if isinstance(outcome, Failed):
        assert not outcome.transient
        return
    for name, was in before.clusters.items():
        now = outcome.clusters.get(name)
        if isinstance(was, ClusterConfig) and now is not None:
            assert not isinstance(now, Pending)
            assert not (isinstance(now, Failed) and now.transient)
            assert now is was or now != was  # the same is the same object
