"""LDS → RDS → CDS → EDS folded into one immutable configuration a target (gRFC A74).

`Dependencies.resolve` is given a look-up of what is held and says two things: which resources the target
needs, and what its calls are to do. It keeps the last good configuration while a part of a new one is
still on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias

from msgspec import Struct, field

from .fault import effective_policies
from .held import Held, State
from .match import RouteTable, select_virtual_host
from .resources import (
    NO_EDITS,
    AggregateDiscovery,
    Cluster,
    ClusterAction,
    DnsDiscovery,
    EdsDiscovery,
    Endpoints,
    FaultFilter,
    FaultPolicy,
    Kind,
    Listener,
    MessageEdits,
    Resource,
    RetryPolicy,
    Route,
    RouteConfig,
    VirtualHost,
    WeightedCluster,
)
from .steps import Steps, finish

_DEEPEST = 16
_DEFAULT_TIMEOUT = 15.0
"""Seconds for an HTTP request whose route says nothing of them (Envoy's RouteAction.timeout)."""

Key: TypeAlias = tuple[Kind, str]
Lookup: TypeAlias = Callable[[Kind, str], Held | None]


class Pending(Struct, frozen=True):
    """Something is still on its way; `what` says what."""

    what: str


class Failed(Struct, frozen=True):
    """It will not work as things are; `reason` says why."""

    reason: str
    transient: bool = False
    """Only the control plane is out of reach: no reason to drop what is in force."""
    cut_off: bool = False
    """There is no stream to ask for it."""


class ClusterConfig(Struct, frozen=True):
    """A cluster with its endpoints; those of a host name are looked up by whoever connects: None."""

    cluster: Cluster
    endpoints: Endpoints | None


class AggregateConfig(Struct, frozen=True):
    """A cluster of clusters: those at its ends, in the order in which they are tried (gRFC A37)."""

    cluster: Cluster
    leaves: tuple[str, ...]


LeafOutcome: TypeAlias = ClusterConfig | Pending | Failed
ClusterOutcome: TypeAlias = LeafOutcome | AggregateConfig


class Config(Struct, frozen=True):
    """Everything the calls of one target need; swapped whole."""

    listener: Listener
    route_config: RouteConfig
    table: RouteTable
    clusters: Mapping[str, ClusterOutcome]
    """Those that its routes name, what these are made of, and the same for `before`."""
    before: Config | None = None
    """What was in force before, with its clusters as they are now, until all of this one has been settled."""
    cut_off: frozenset[str] = frozenset()
    """The clusters for which nobody can be asked now: calls that come to them are decided by `before`."""

    def timeout(self, action: ClusterAction) -> float | None:
        """Seconds a call may take by configuration; None for no limit (gRFC A31)."""
        limit = action.max_stream_duration
        if limit is None:
            limit = self.listener.max_stream_duration
        return limit or None

    def request_timeout(self, action: ClusterAction) -> float | None:
        """The same for an HTTP request, which goes by Envoy's `timeout`, too: 15 s where neither is set."""
        limits = [self.timeout(action), action.timeout]
        if action.timeout is None and action.max_stream_duration is None:
            limits.append(_DEFAULT_TIMEOUT)
        return min((limit for limit in limits if limit), default=None)

    def retry(self, action: ClusterAction) -> RetryPolicy | None:
        """The route's retry policy, else its virtual host's; None for no retries (gRFC A44)."""
        policy = action.retry or self.table.virtual_host.retry
        return policy if policy is not None and policy.retries else None

    def faults(self, route: Route, cluster: WeightedCluster | None) -> tuple[FaultPolicy, ...]:
        """The fault policies that apply to a call on this route (gRFCs A33, A39)."""
        if not self.listener.faults:
            return ()
        weighted: tuple[FaultFilter, ...] = cluster.faults if cluster is not None else ()
        return effective_policies(
            self.listener.faults, self.table.virtual_host.faults, route.faults, weighted
        )

    def edits(self, route: Route, cluster: WeightedCluster | None) -> tuple[MessageEdits, ...]:
        """What is done to the headers of a call, level by level in the order in which it is done."""
        levels = [route.edits, self.table.virtual_host.edits, self.route_config.edits]
        if self.route_config.specific_edits_win:
            levels.reverse()
        # The weighted cluster's come first either way, says Envoy of `ClusterWeight`.
        weighted = NO_EDITS if cluster is None else cluster.edits
        return tuple(level for level in (weighted, *levels) if level is not NO_EDITS)


Outcome: TypeAlias = Config | Pending | Failed


class Dependencies(Struct):
    """What one target depends on, and what came of it."""

    listener_name: str
    authority: str
    outcome: Outcome = field(default_factory=lambda: Pending("its first configuration"))
    needs: frozenset[Key] = frozenset()
    _table: RouteTable | None = None
    _replaced: list[RouteTable] = field(default_factory=list)

    def preparing(self, lookup: Lookup) -> Steps[None]:
        """Do in steps, and beforehand, what would take `resolve` long: the table of what is held now."""
        listener = _resource(lookup, Kind.LISTENER, self.listener_name)
        if not isinstance(listener, Listener):
            return
        name = listener.route_config_name or ""
        routes = listener.route_config or _resource(lookup, Kind.ROUTE_CONFIG, name)
        if not isinstance(routes, RouteConfig):
            return
        host = select_virtual_host(routes.virtual_hosts, self.authority)
        if host is not None:
            yield from self._tabling(host)

    def _tabling(self, host: VirtualHost) -> Steps[RouteTable]:
        table = self._table
        if table is None or table.virtual_host != host:
            table = yield from RouteTable.building(host, table)
            if self._table is not None:
                self._replaced.append(self._table)
            self._table = table
        return table

    def clearing(self) -> Steps[None]:
        """Empty in steps the tables that no call is decided by any more."""
        config = self.outcome if isinstance(self.outcome, Config) else None
        asked = [each.table for each in (config, config and config.before) if each is not None]
        replaced, self._replaced = self._replaced, []
        for table in replaced:
            if any(table is each for each in asked):
                self._replaced.append(table)
            else:
                yield from table.emptying()

    def resolve(self, lookup: Lookup, stream_error: str = "") -> None:
        """Recompute `needs` and `outcome` from what is held now."""
        key = (Kind.LISTENER, self.listener_name)
        needs = {key}
        held = lookup(*key)
        new: Outcome
        if held is None or held.resource is None:
            new = _missing(key, held, stream_error)
        else:
            assert isinstance(held.resource, Listener)
            new = self._with_routes(held.resource, lookup, needs, stream_error)
        if _unsettled(new) and isinstance(self.outcome, Config):
            # The old configuration serves on, its clusters as they are now, until the new one is whole.
            needs |= {key for key in self.needs if key[0] is Kind.ROUTE_CONFIG}
            old = self.outcome
            new = self._config(old.listener, old.route_config, old.table, lookup, needs, stream_error)
        self.needs, self.outcome = frozenset(needs), new

    def ambient(self, lookup: Lookup, cluster: str, stream_error: str) -> tuple[str, ...]:
        """What is wrong with the news of a cluster, while what is in force serves on (gRFC A88).

        Where its endpoints fail as well, this may be why.
        """
        outcome = self.outcome.clusters.get(cluster) if isinstance(self.outcome, Config) else None
        of_cluster = {(Kind.CLUSTER, cluster)}
        if isinstance(outcome, ClusterConfig) and isinstance(outcome.cluster.discovery, EdsDiscovery):
            of_cluster.add((Kind.ENDPOINTS, outcome.cluster.discovery.name))
        wrong = [stream_error] if stream_error else []
        for key in sorted(self.needs, key=lambda key: (list(Kind).index(key[0]), key[1])):
            if key[0] in (Kind.CLUSTER, Kind.ENDPOINTS) and key not in of_cluster:
                continue
            held = lookup(*key)
            if held is not None and held.resource is not None and held.state is not State.ACKED:
                wrong.append(_trouble(key, held).reason)
        return tuple(wrong)

    def _with_routes(self, listener: Listener, lookup: Lookup, needs: set[Key], stream_error: str) -> Outcome:
        routes = listener.route_config
        if routes is None:
            key = (Kind.ROUTE_CONFIG, listener.route_config_name or "")
            needs.add(key)
            held = lookup(*key)
            if held is None or held.resource is None:
                return _missing(key, held, stream_error)
            assert isinstance(held.resource, RouteConfig)
            routes = held.resource
        host = select_virtual_host(routes.virtual_hosts, self.authority)
        if host is None:
            return Failed(f"no virtual host of route configuration {routes.name!r} serves {self.authority!r}")
        return self._config(listener, routes, finish(self._tabling(host)), lookup, needs, stream_error)

    def _config(
        self,
        listener: Listener,
        routes: RouteConfig,
        table: RouteTable,
        lookup: Lookup,
        needs: set[Key],
        stream_error: str,
    ) -> Config:
        last = self.outcome if isinstance(self.outcome, Config) else None
        clusters: dict[str, ClusterOutcome] = {}
        graph = _Graph(lookup, needs, stream_error, last.clusters if last is not None else {}, clusters)
        for name in table.clusters:
            graph.add(name)
        before = None if last is None else last.before
        # Of several that follow each other before one of them is whole, what was whole before them all.
        if last is not None and last.table is not table and (before is None or _lacks(before)):
            before = last
        if before is None or not any(map(_unsettled, clusters.values())):
            return Config(listener, routes, table, clusters)
        cut_off = frozenset(name for name in table.clusters if _cut_off(clusters[name], clusters))
        for name in before.table.clusters:
            graph.add(name)
        before = Config(before.listener, before.route_config, before.table, clusters)
        return Config(listener, routes, table, clusters, before, cut_off)


def _resource(lookup: Lookup, kind: Kind, name: str) -> Resource | None:
    held = lookup(kind, name)
    return None if held is None else held.resource


def _unsettled(outcome: Outcome | ClusterOutcome) -> bool:
    return isinstance(outcome, Pending) or (isinstance(outcome, Failed) and outcome.transient)


def _waits(outcome: ClusterOutcome, clusters: Mapping[str, ClusterOutcome]) -> bool:
    """Whether a call to the cluster would have to wait, be it for the first leaf that may serve."""
    if not isinstance(outcome, AggregateConfig):
        return _unsettled(outcome)
    for leaf in outcome.leaves:
        below = clusters[leaf]
        if not isinstance(below, Failed) or below.transient:
            return _unsettled(below)
    return False


def _lacks(config: Config) -> bool:
    """Whether calls of some route would have to wait for its cluster."""
    return any(_waits(config.clusters[name], config.clusters) for name in config.table.clusters)


def _cut_off(outcome: ClusterOutcome, clusters: Mapping[str, ClusterOutcome]) -> bool:
    """Whether there is nobody to ask for the cluster, be it for one of its leaves."""
    if isinstance(outcome, AggregateConfig):
        return any(_cut_off(clusters[leaf], clusters) for leaf in outcome.leaves)
    return isinstance(outcome, Failed) and outcome.cut_off


class _Graph(Struct):
    """The clusters that routes name, and those that these are made of."""

    lookup: Lookup
    needs: set[Key]
    stream_error: str
    before: Mapping[str, ClusterOutcome]
    clusters: dict[str, ClusterOutcome]

    def add(self, name: str, path: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Settle a cluster and all below it; returns the leaves, itself where it is one.

        `path` has the aggregates above it. Raises _LoopError where it is one of them.
        """
        if name in path:
            raise _LoopError(f"aggregate cluster {name!r} contains itself")
        if len(path) > _DEEPEST:
            raise _LoopError(f"aggregate clusters stand more than {_DEEPEST} deep")
        known = self.clusters.get(name)
        if known is None:
            known = self._settle(name, path)
            last = self.before.get(name)
            if last is not None and _waits(known, self.clusters) and not _waits(last, self.before):
                known = self._kept(last, (*path, name)) or known
            if known == last:
                known = last  # The same object, so that whoever compares by identity sees no change.
            self.clusters[name] = known
        return known.leaves if isinstance(known, AggregateConfig) else (name,)

    def _kept(self, last: ClusterOutcome, path: tuple[str, ...]) -> ClusterOutcome | None:
        """The last version of a cluster over what there is of it now; None where that is not good."""
        if isinstance(last, AggregateConfig):
            leaves: dict[str, None] = {}
            for name in last.leaves:
                with suppress(_LoopError):
                    leaves.update(dict.fromkeys(self.add(name, path)))
            settled = tuple(leaf for leaf in leaves if not _unsettled(self.clusters[leaf]))
            good = any(isinstance(self.clusters[leaf], ClusterConfig) for leaf in settled)
            return AggregateConfig(last.cluster, settled) if good else None
        if not isinstance(last, ClusterConfig):
            return None
        if isinstance(last.cluster.discovery, EdsDiscovery):
            key = (Kind.ENDPOINTS, last.cluster.discovery.name)
            self.needs.add(key)
            held = self.lookup(*key)
            if held is not None and isinstance(held.resource, Endpoints):
                return ClusterConfig(last.cluster, held.resource)
        return last

    def _settle(self, name: str, path: tuple[str, ...]) -> ClusterOutcome:
        key = (Kind.CLUSTER, name)
        self.needs.add(key)
        held = self.lookup(*key)
        if held is None or held.resource is None:
            return _missing(key, held, self.stream_error)
        cluster = held.resource
        assert isinstance(cluster, Cluster)
        if isinstance(cluster.discovery, DnsDiscovery):
            return ClusterConfig(cluster, None)
        if isinstance(cluster.discovery, AggregateDiscovery):
            return self._aggregate(cluster, cluster.discovery.clusters, (*path, name))
        key = (Kind.ENDPOINTS, cluster.discovery.name)
        self.needs.add(key)
        held = self.lookup(*key)
        if held is None or held.resource is None:
            return _missing(key, held, self.stream_error)
        assert isinstance(held.resource, Endpoints)
        return ClusterConfig(cluster, held.resource)

    def _aggregate(self, cluster: Cluster, below: Iterable[str], path: tuple[str, ...]) -> ClusterOutcome:
        leaves: dict[str, None] = {}
        for name in below:
            try:
                leaves.update(dict.fromkeys(self.add(name, path)))
            except _LoopError as error:
                if len(path) > 1:
                    raise
                return Failed(str(error))
        return AggregateConfig(cluster, tuple(leaves))


class _LoopError(Exception):
    """Clusters contain each other."""


def _missing(key: Key, held: Held | None, stream_error: str) -> Pending | Failed:
    word = _word(key)
    if held is None or held.state is State.REQUESTED:
        reason = f"{word} cannot be had: {stream_error}"
        return Failed(reason, transient=True, cut_off=True) if stream_error else Pending(word)
    return _trouble(key, held)


def _word(key: Key) -> str:
    kind, name = key
    return f"{kind.value} resource {name!r}"


def _trouble(key: Key, held: Held) -> Failed:
    word = _word(key)
    if held.state is State.ABSENT:
        return Failed(f"{word} does not exist in the control plane")
    if held.state in (State.DENIED, State.OVERDUE):
        return Failed(f"{word} cannot be had: {held.error}", held.state is State.OVERDUE)
    return Failed(f"{word} was refused: {held.error}")
