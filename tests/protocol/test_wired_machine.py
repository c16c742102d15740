"""The machine and the dependency graphs together, under any order of events.

Two promises: a configuration never refers to something that is not held, and a good one is dropped only for
what is known to be its end.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from proxyless.depgraph import AggregateConfig, ClusterConfig, Config, Failed, Pending
from proxyless.match import select_virtual_host
from proxyless.resources import (
    AggregateDiscovery,
    Cluster,
    ClusterAction,
    DnsDiscovery,
    EdsDiscovery,
    Kind,
    Listener,
    RouteConfig,
)
from proxyless.targets import ActiveTarget

from tests.fakes import resources as fake

from .wired import Plane, Wired, serialized

TARGETS = ("t0", "t1")
AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"


def aggregate(name: str, *below: str) -> Any:
    config = {"@type": AGGREGATE, "clusters": list(below)}
    return fake.cluster(name, cluster_type={"name": "aggregate", "typed_config": config})


def dns(name: str) -> Any:
    socket = {"address": "a.test", "port_value": 80}
    endpoint = {"lb_endpoints": [{"endpoint": {"address": {"socket_address": socket}}}]}
    return fake.cluster(name, type="LOGICAL_DNS", load_assignment={"endpoints": [endpoint]})


def eds(name: str, service: str) -> Any:
    return fake.cluster(name, eds_cluster_config={"service_name": service})


def routes(name: str, *clusters: str, domain: str = "*", mirror: str = "") -> Any:
    each = fake.route(dict.fromkeys(clusters, 1) | {"c9": 0})
    if mirror:
        each["route"]["request_mirror_policies"] = [{"cluster": mirror}]
    return fake.route_config(name, [each], [domain])


VARIANTS: dict[tuple[Kind, str], list[bytes]] = {}
for _name in TARGETS:
    VARIANTS[Kind.LISTENER, _name] = [
        serialized(fake.listener(_name, "r0")),
        serialized(fake.listener(_name, "r1")),
        serialized(fake.listener(_name, routes("", "c0", "c3"))),
    ]
for _name in ("r0", "r1"):
    VARIANTS[Kind.ROUTE_CONFIG, _name] = [
        serialized(routes(_name, "c0")),
        serialized(routes(_name, "c1", "c2")),
        serialized(routes(_name, "c3", mirror="c1")),
        serialized(routes(_name, "c0", domain="nobody")),
    ]
VARIANTS[Kind.CLUSTER, "c0"] = [serialized(eds("c0", "e0")), serialized(eds("c0", "e1"))]
VARIANTS[Kind.CLUSTER, "c1"] = [serialized(eds("c1", "e1")), serialized(dns("c1"))]
VARIANTS[Kind.CLUSTER, "c2"] = [serialized(eds("c2", "e2")), serialized(aggregate("c2", "c3"))]
VARIANTS[Kind.CLUSTER, "c3"] = [
    serialized(aggregate("c3", "c0")),
    serialized(aggregate("c3", "c2", "c1")),
    serialized(eds("c3", "e2")),
]
for _name in ("e0", "e1", "e2"):
    VARIANTS[Kind.ENDPOINTS, _name] = [
        serialized(fake.endpoints(_name, f"10.0.0.{i}:80")) for i in range(1, 3)
    ]
BAD: dict[Kind, Any] = {
    Kind.LISTENER: lambda name: fake.Listener(name=name),
    Kind.ROUTE_CONFIG: lambda name: fake.route_config(name, [{"match": {"prefix": ""}}]),
    Kind.CLUSTER: lambda name: fake.Cluster(name=name),
    Kind.ENDPOINTS: lambda name: fake.endpoints(name, "10.0.0.1:80", priority=1),
}
EVERYTHING = sorted(VARIANTS, key=str)


class AnyOrderWired(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        logging.disable()  # it would say the same thousands of times
        self.loop = asyncio.new_event_loop()
        self.client = self.loop.run_until_complete(self._made())
        self.plane = Plane()
        self.connected = False
        self.refused: set[tuple[Kind, str]] = set()
        self.shares: dict[str, ActiveTarget] = {}
        self.before: dict[str, Config] = {}

    async def _made(self) -> Wired:
        return Wired(self.loop)

    def teardown(self) -> None:
        self.loop.run_until_complete(self.client.close())
        self.loop.close()
        logging.disable(logging.NOTSET)

    @initialize(variants=st.lists(st.integers(0, 4), min_size=len(EVERYTHING), max_size=len(EVERYTHING)))
    def begin(self, variants: list[int]) -> None:
        """With most there is, seen by one target; from nothing, hardly a run would get to endpoints."""
        for what, variant in zip(EVERYTHING, variants, strict=True):
            if variant < (4 if what[0] is not Kind.ENDPOINTS else 3):
                self.change(what, variant)
        self.attach_or_detach("t0")
        self.peace()

    # --- what can happen --------------------------------------------------------------------------------

    @rule(name=st.sampled_from(TARGETS))
    def attach_or_detach(self, name: str) -> None:
        async def step() -> None:
            if name in self.shares:
                self.client.detach(self.shares.pop(name))
                self.before.pop(name, None)
            else:
                self.shares[name] = self.client.attach(f"xds:///{name}")

        self.loop.run_until_complete(step())

    @rule(what=st.sampled_from(EVERYTHING), variant=st.integers(0, 3))
    def change(self, what: tuple[Kind, str], variant: int) -> None:
        """Of the world; nobody is told yet."""
        self.plane.world[what] = VARIANTS[what][variant % len(VARIANTS[what])]
        self.refused.discard(what)

    @rule(what=st.sampled_from([what for what in EVERYTHING if what[0].full_state]))
    def remove(self, what: tuple[Kind, str]) -> None:
        self.plane.world.pop(what, None)
        self.refused.discard(what)

    @rule(what=st.sampled_from(EVERYTHING))
    def spoil(self, what: tuple[Kind, str]) -> None:
        self.plane.world[what] = serialized(BAD[what[0]](what[1]))
        self.refused.add(what)

    @precondition(lambda self: self.connected)
    @rule(place=st.integers(0, 59), variant=st.integers(0, 2), at_once=st.booleans())
    def update(self, place: int, variant: int, at_once: bool) -> None:
        """A change of the world to something else that is sent, alone where the type allows it.

        Mostly of what is needed now, for the rest hardly matters.
        """
        needed = {key for target in self.client.active for key in target.dependencies.needs}
        choices = sorted(needed & VARIANTS.keys(), key=str) or EVERYTHING
        what = choices[place % len(choices)]
        others = [each for each in VARIANTS[what] if each != self.plane.world.get(what)]
        self.plane.world[what] = others[variant % len(others)]
        self.refused.discard(what)
        self.plane.push(what[0], what[1])
        if at_once:
            while self.plane.outbox:
                self.read()
                self.check()
            self.write()

    @precondition(lambda self: self.connected)
    @rule(kind=st.sampled_from(Kind), only=st.sampled_from([None, "r0", "e0", "e1"]))
    def push(self, kind: Kind, only: str | None) -> None:
        self.plane.push(kind, only)

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.plane.open()
        self.client.open()
        self.connected = True

    @rule(error=st.sampled_from(["", "", "", "gone", "refused"]))
    def disconnect(self, error: str) -> None:
        """Of an open stream, or an attempt that never got that far; seldom, for it undoes what was begun."""
        if not error:
            return
        self.connected = False
        self.plane.open()
        self.client.lose(error)

    @precondition(lambda self: self.connected)
    @rule()
    def write(self) -> None:
        for request in self.client.write():
            self.plane.take(request)

    @precondition(lambda self: self.plane.outbox)
    @rule()
    def read(self) -> None:
        self.client.read(self.plane.outbox.popleft())

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 7.0]))
    def wait(self, seconds: float) -> None:
        self.client.wait(seconds)

    @rule(now=st.sampled_from([False, False, True]))
    def sometimes_peace(self, now: bool) -> None:
        if now:
            self.peace()

    def peace(self) -> None:
        """All that is under way arrives, and every timer runs out: the world is what the targets see."""
        if not self.connected:
            self.connect()
        for _ in range(6):
            for kind in Kind:
                self.plane.push(kind)
            self._exchange()
            self.client.wait(15.0)
            self._exchange()
            self.check()
        for target in self.client.active:
            assert not isinstance(target.outcome, Pending)
            if not self.refused:
                self._is_as_the_world_says(target)

    def _exchange(self) -> None:
        requests = self.client.write()
        while requests or self.plane.outbox:
            for request in requests:
                self.plane.take(request)
            if self.plane.outbox:
                self.read()
                self.check()
            requests = self.client.write()

    def _is_as_the_world_says(self, target: ActiveTarget) -> None:
        outcome, world, name = target.outcome, self.plane.world, target.target.listener
        listener = self._resource(Kind.LISTENER, name)
        assert (listener is not None) == ((Kind.LISTENER, name) in world)
        if not isinstance(outcome, Config):
            return
        assert outcome.listener == listener
        for cluster, each in outcome.clusters.items():
            assert not isinstance(each, Pending)
            if isinstance(each, ClusterConfig):
                assert world[Kind.CLUSTER, cluster] == self._data(Kind.CLUSTER, cluster)
                if isinstance(each.cluster.discovery, EdsDiscovery):
                    service = each.cluster.discovery.name
                    assert world[Kind.ENDPOINTS, service] == self._data(Kind.ENDPOINTS, service)

    # --- what always holds ------------------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        needed = {key for target in self.client.active for key in target.dependencies.needs}
        watched = {(kind, name) for kind in Kind for name in self.client.machine.watched(kind)}
        assert watched == needed
        for target in self.client.active:
            name, outcome = target.target.listener, target.outcome
            before = self.before.pop(name, None)
            if isinstance(outcome, Config):
                self._refers_to_what_is_held(outcome, needed)
                self.before[name] = outcome
            if before is not None:
                self._keeps_what_was_good(name, before, outcome)
            self._takes_what_is_whole(name, outcome)

    def _refers_to_what_is_held(self, config: Config, needed: set[tuple[Kind, str]]) -> None:
        for name in _named(config):
            assert name in config.clusters
        for name, each in config.clusters.items():
            assert (Kind.CLUSTER, name) in needed
            if isinstance(each, AggregateConfig):
                assert each.leaves
                for leaf in each.leaves:
                    assert not isinstance(config.clusters[leaf], AggregateConfig)
            if isinstance(each, ClusterConfig) and isinstance(each.cluster.discovery, EdsDiscovery):
                service = each.cluster.discovery.name
                assert (Kind.ENDPOINTS, service) in needed
                # Not an older version either: endpoints come and go while a new cluster is on its way.
                assert each.endpoints is self._resource(Kind.ENDPOINTS, service)

    def _keeps_what_was_good(self, name: str, before: Config, outcome: object) -> None:
        if not isinstance(outcome, Config):
            assert isinstance(outcome, Failed) and not outcome.transient
            listener = self._resource(Kind.LISTENER, name)
            if listener is None:
                assert not self._on_its_way(Kind.LISTENER, name)
                return
            assert isinstance(listener, Listener)
            config: Any = listener.route_config
            if config is None:
                config = self._resource(Kind.ROUTE_CONFIG, listener.route_config_name or "")
                if config is None:
                    assert not self._on_its_way(Kind.ROUTE_CONFIG, listener.route_config_name or "")
                    return
            assert select_virtual_host(config.virtual_hosts, name) is None
            return
        for cluster in set(_named(before)) & set(_named(outcome)):
            if _good(before, cluster) and not _good(outcome, cluster):
                found = before.clusters[cluster]
                below = found.leaves if isinstance(found, AggregateConfig) else ()
                good = [leaf for leaf in below if isinstance(before.clusters[leaf], ClusterConfig)]
                over = good and all(self._ended(leaf, set()) for leaf in good)
                assert over or self._ended(cluster, set()), (cluster, before.clusters, outcome.clusters)

    def _takes_what_is_whole(self, name: str, outcome: object) -> None:
        """What is held in full is in force; each cluster by itself."""
        listener = self._resource(Kind.LISTENER, name)
        if not isinstance(listener, Listener):
            return
        config = listener.route_config or self._resource(Kind.ROUTE_CONFIG, listener.route_config_name or "")
        if not isinstance(config, RouteConfig) or select_virtual_host(config.virtual_hosts, name) is None:
            return
        assert isinstance(outcome, Config)
        assert (outcome.listener, outcome.route_config) == (listener, config)
        for cluster in _named(outcome):
            if self._whole(cluster, ()):
                assert _good(outcome, cluster), (cluster, outcome.clusters)

    # --- the model: what is known of names --------------------------------------------------------------

    def _resource(self, kind: Kind, name: str) -> Any:
        held = self.client.machine.held(kind, name)
        return held.resource if held is not None else None

    def _data(self, kind: Kind, name: str) -> bytes:
        held = self.client.machine.held(kind, name)
        return held.data if held is not None else b""

    def _on_its_way(self, kind: Kind, name: str) -> bool:
        held = self.client.machine.held(kind, name)
        return held is None or held.state.value == "REQUESTED"

    def _whole(self, name: str, path: tuple[str, ...]) -> bool:
        """Whether a cluster and everything below it is held."""
        cluster = self._resource(Kind.CLUSTER, name)
        if not isinstance(cluster, Cluster) or name in path:
            return False
        if isinstance(cluster.discovery, AggregateDiscovery):
            return all(self._whole(each, (*path, name)) for each in cluster.discovery.clusters)
        return (
            isinstance(cluster.discovery, DnsDiscovery)
            or self._resource(Kind.ENDPOINTS, cluster.discovery.name) is not None
        )

    def _ended(self, name: str, path: set[str]) -> bool:
        """Whether a cluster is known not to work: it, its endpoints, or all below it, or it is a loop."""
        if name in path:
            return True
        cluster = self._resource(Kind.CLUSTER, name)
        if not isinstance(cluster, Cluster):
            return not self._on_its_way(Kind.CLUSTER, name)
        if isinstance(cluster.discovery, AggregateDiscovery):
            ends = [self._ended(each, path | {name}) for each in cluster.discovery.clusters]
            return all(ends) or self._loops(name, ())
        if isinstance(cluster.discovery, DnsDiscovery):
            return False
        service = cluster.discovery.name
        return self._resource(Kind.ENDPOINTS, service) is None and not self._on_its_way(
            Kind.ENDPOINTS, service
        )

    def _loops(self, name: str, path: tuple[str, ...]) -> bool:
        cluster = self._resource(Kind.CLUSTER, name)
        if not isinstance(cluster, Cluster) or not isinstance(cluster.discovery, AggregateDiscovery):
            return False
        return name in path or any(self._loops(each, (*path, name)) for each in cluster.discovery.clusters)


def _named(config: Config) -> list[str]:
    """The clusters that the routes name."""
    found: dict[str, None] = {}
    for route in config.table.virtual_host.routes:
        assert isinstance(route.action, ClusterAction)
        found.update((each.name, None) for each in route.action.clusters if each.weight)
        found.update((each.cluster, None) for each in route.action.mirrors)
    return list(found)


def _good(config: Config, name: str) -> bool:
    """Whether calls to a cluster have somewhere to go, and need not wait."""
    found = config.clusters[name]
    leaves = found.leaves if isinstance(found, AggregateConfig) else (name,)
    first = (config.clusters[leaf] for leaf in leaves if not _over(config.clusters[leaf]))
    return isinstance(next(first, None), ClusterConfig)


def _over(outcome: object) -> bool:
    return isinstance(outcome, Failed) and not outcome.transient


TestAnyOrderWired = AnyOrderWired.TestCase
TestAnyOrderWired.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
