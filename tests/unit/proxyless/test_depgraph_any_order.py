"""Whatever arrives in whatever order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from proxyless.depgraph import ClusterConfig, Config, Failed, Pending
from proxyless.held import State
from proxyless.resources import (
    Cluster,
    ClusterAction,
    EdsDiscovery,
    Listener,
)

from tests.unit.proxyless.world import CDS, EDS, LDS, RDS, World, endpoints, routes

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
