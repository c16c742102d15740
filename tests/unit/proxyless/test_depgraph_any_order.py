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
    world, whole = World(), _Whole()
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
            _check_what_was_before(world, outcome)
        if isinstance(before, Config):
            _check_nothing_good_is_dropped(world, before, outcome)
        whole.check(outcome)
        again = world.resolve()
        assert again == outcome  # nothing changed: nothing changes


def _routed(config: Config | None) -> set[str]:
    return {
        cluster.name
        for route in (config.table.virtual_host.routes if config is not None else ())
        if isinstance(route.action, ClusterAction)
        for cluster in route.action.clusters
    }


def _unsettled(config: Config, names: set[str]) -> set[str]:
    states = {name: config.clusters[name] for name in names}
    return {n for n, s in states.items() if isinstance(s, Pending) or (isinstance(s, Failed) and s.transient)}


def _check_config(world: World, config: Config) -> None:
    routed = _routed(config) | _routed(config.before)
    assert set(config.clusters) == routed  # never a route to a cluster it knows nothing of
    assert config.table.virtual_host in config.route_config.virtual_hosts
    for name, each in config.clusters.items():
        assert (CDS, name) in world.target.needs
        if isinstance(each, ClusterConfig):
            discovery = each.cluster.discovery
            assert isinstance(discovery, EdsDiscovery) and each.endpoints is not None
            assert (each.cluster.name, each.endpoints.name) == (name, discovery.name)
            assert (EDS, discovery.name) in world.target.needs


def _check_what_was_before(world: World, config: Config) -> None:
    unsettled = _unsettled(config, _routed(config))
    if config.before is None:
        assert not config.cut_off
        return
    assert unsettled  # once it is whole, nothing before it counts
    assert config.before.before is None
    assert config.before.table is not config.table
    assert config.before.clusters == config.clusters
    assert config.cut_off == (unsettled if world.error else set())


class _Whole:
    """The last configuration all of which was settled is there until that is true of another."""

    def __init__(self) -> None:
        self.last: Config | None = None

    def check(self, outcome: Any) -> None:
        if not isinstance(outcome, Config):
            self.last = None
        elif not _unsettled(outcome, _routed(outcome)):
            self.last = outcome
        elif self.last is not None and self.last.table is not outcome.table:
            assert outcome.before is not None
            assert outcome.before.table is self.last.table
            if _unsettled(outcome, _routed(self.last)):
                self.last = None  # what news took from it, news may have to bring again


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
