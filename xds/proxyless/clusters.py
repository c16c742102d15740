"""One cluster of one target at work: its subchannels, its limits, and the picker over them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Any

import grpc
from msgspec import Struct

from .balance import Ask, OutlierDetector, Picker, Policy, Readiness, Status, draw_drop, make_picker
from .balance.priorities import addresses, usable_by_priority
from .breaker import IN_FLIGHT, RETRIES, Count
from .depgraph import ClusterConfig, Failed, LeafOutcome, Pending
from .dns import NameWatch, look_up
from .match import Draw
from .pools import Link, Pool, SubchannelKey
from .resources import Cluster, DnsDiscovery, EdsDiscovery, Endpoints, LocalityName


class Connections(Struct, frozen=True):
    """What the clusters of one target connect with."""

    pool: Pool[Any]
    authority: str
    credentials: grpc.ChannelCredentials | None = None
    options: tuple[tuple[str, Any], ...] = ()

    def key(self, address: str) -> SubchannelKey:
        """What the subchannel of an address goes by."""
        return SubchannelKey(address, self.authority, self.credentials, self.options)


_NOWHERE = LocalityName()


class ActiveCluster:
    """Holds the subchannels of a cluster from its first call on, and a picker that is always current.

    `changed` is called whenever the picker is another.
    """

    def __init__(self, connections: Connections, draw: Draw, changed: Callable[[], None]) -> None:
        self._connections = connections
        self._draw = draw
        self._changed = changed
        self._subchannels: dict[str, Link] = {}
        self._localities: dict[str, LocalityName] = {}
        self._awake = False
        self._names: NameWatch | None = None
        self.outliers: OutlierDetector | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._judging: set[asyncio.Task[None]] = set()
        self._ask = Ask(draw, load=self._load)
        """What a call asks that may go anywhere."""
        self.in_flight: set[int] = set()
        self._retries = Count()
        self._limit = 0
        self.outcome: LeafOutcome = Pending("its first configuration")

    @property
    def cluster(self) -> Cluster | None:
        """The cluster's configuration, while there is one."""
        return self.outcome.cluster if isinstance(self.outcome, ClusterConfig) else None

    @property
    def endpoints(self) -> Endpoints | None:
        """Its endpoints, while they are known."""
        if not isinstance(self.outcome, ClusterConfig):
            return None
        if self._names is None:
            return self.outcome.endpoints
        return self._names.answer if isinstance(self._names.answer, Endpoints) else None

    @property
    def hashes(self) -> bool:
        """Whether its policy goes by the hash of a call."""
        return self.cluster is not None and self.cluster.lb_policy.name == "ring_hash"

    @property
    def readiness(self) -> dict[str, Readiness]:
        """What is known of each connected address."""
        return {address: each.readiness for address, each in self._subchannels.items()}

    @property
    def ejected(self) -> frozenset[str]:
        """The addresses that outlier detection keeps calls from."""
        return self.outliers.ejected if self.outliers is not None else frozenset()

    def locality(self, address: str) -> LocalityName:
        """Where an endpoint is; nameless where that is not known."""
        return self._localities.get(address, _NOWHERE)

    @property
    def awake(self) -> bool:
        """Whether it has been asked to connect."""
        return self._awake

    # --- configuration ------------------------------------------------------------------------------------

    def update(self, outcome: LeafOutcome) -> None:
        """Take the cluster's new configuration."""
        if outcome is self.outcome:
            return
        before, self.outcome = self.cluster, outcome
        cluster = self.cluster
        if cluster is not None:
            self._limit, key = cluster.max_requests, _breaker_key(cluster)
            self.in_flight, self._retries = IN_FLIGHT.of(key), RETRIES.of(key)
        if cluster is None or before is None or cluster.discovery != before.discovery:
            self._stop_resolving()
        if cluster is None or before is None or cluster.outlier_detection != before.outlier_detection:
            self._stop_judging()
        if self._awake or cluster is None:
            self._connect()
        self._refresh()

    def wake(self) -> None:
        """Connect, if no call has asked for it before."""
        if not self._awake:
            self._awake = True
            self._connect()
            self._refresh()

    def close(self) -> None:
        """Give every subchannel back."""
        self.update(Failed("the channel was closed"))

    def _connect(self) -> None:
        """Hold exactly the subchannels of the usable endpoints."""
        cluster = self.cluster
        if cluster is not None and isinstance(cluster.discovery, DnsDiscovery) and self._names is None:
            self._names = NameWatch(cluster.discovery, self._on_names, look_up)
        endpoints = self.endpoints
        groups = usable_by_priority(endpoints) if endpoints is not None else []
        wanted = {address for group in groups for address in addresses(group)}
        self._localities = {e.address: place.name for group in groups for place, some in group for e in some}
        for address in wanted - self._subchannels.keys():
            key = self._connections.key(address)
            self._subchannels[address] = self._connections.pool.acquire(key, self._on_readiness)
        for address in self._subchannels.keys() - wanted:
            self._connections.pool.release(self._subchannels.pop(address), self._on_readiness)
        self._judge(cluster)

    def _on_names(self) -> None:
        self._connect()
        self._refresh()
        self._changed()

    def _on_readiness(self) -> None:
        self._refresh()
        self._changed()

    def _stop_resolving(self) -> None:
        if self._names is not None:
            self._names.close()
            self._names = None

    def _refresh(self) -> None:
        """Forget the picker, which has become out of date."""
        for made in ("picker", "_sole", "_only"):
            self.__dict__.pop(made, None)

    @cached_property
    def picker(self) -> Picker:
        """What picks among the endpoints as they are now, made when it is asked for first."""
        outcome, endpoints = self.outcome, self.endpoints
        if isinstance(outcome, Pending):
            return Picker(Status.WAITING, f"waiting for {outcome.what}")
        if not isinstance(outcome, ClusterConfig):
            return Picker(Status.UNUSABLE, outcome.reason)
        if endpoints is not None:
            causes = {address: each.cause for address, each in self._subchannels.items() if each.cause}
            return make_picker(
                endpoints, self.readiness, self._draw, outcome.cluster.lb_policy, self.ejected, causes
            )
        if self._names is not None and isinstance(self._names.answer, str):
            return Picker(Status.UNUSABLE, self._names.answer)
        return Picker(Status.WAITING, "waiting for its host name to be resolved")

    @cached_property
    def _sole(self) -> Policy | None:
        """The one policy that every call goes by, where there is but one and none is dropped."""
        endpoints = self.endpoints
        return None if endpoints is not None and endpoints.drops else self.picker.sole

    @cached_property
    def _only(self) -> Link | None:
        """The one subchannel there is, where calls can go to it."""
        if self._sole is None or len(self._subchannels) != 1:
            return None
        return next(iter(self._subchannels.values()))

    # --- calls --------------------------------------------------------------------------------------------

    def pick(self, avoid: frozenset[str], request_hash: int | None) -> Link | Status:
        """Return the subchannel for the next call, else whether it waits or has to be decided anew.

        `avoid` names the addresses a retry has tried already.
        """
        while self.picker.status is Status.USABLE:
            address = self.picker.pick(Ask(self._draw, avoid, request_hash, self._load))
            if address is None:
                return Status.WAITING
            subchannel = self._subchannels[address]
            if subchannel.connected():
                return subchannel
        return Status.UNUSABLE

    def take(self) -> Link | None:
        """The subchannel for a call that may go to any; None where there is more to decide."""
        link = self._only
        if link is None:
            policy = self._sole
            if policy is None:
                return None
            link = self._subchannels.get(policy.pick(self._ask))  # type: ignore[arg-type] # None is no address
            if link is None:
                return None
        return link if len(self.in_flight) < self._limit and link.connected() else None

    def refusal(self) -> str | None:
        """Why the next call is dropped, where it is: by category (drop_overloads), drawn anew for each."""
        endpoints = self.endpoints
        if endpoints is None or not endpoints.drops:
            return None
        category = draw_drop(endpoints.drops, self._draw)
        return None if category is None else f"the control plane wants calls dropped ({category})"

    def full(self) -> str | None:
        """Why there must not be one more call in flight, where it is so."""
        if len(self.in_flight) < self._limit:
            return None
        return f"circuit breaker: {self._limit} calls are in flight already"

    def enter_retry(self) -> Callable[[], None] | None:
        """Count one more call that is being retried; returns what counts it off, None where it may not be."""
        cluster = self.cluster
        if cluster is None or cluster.max_retries is None:
            return _nothing
        return self._retries.leave if self._retries.enter(cluster.max_retries) else None

    def started(self, link: Link, call: Any) -> None:
        """Take note of a call in flight, until it ends."""
        in_flight = self.in_flight
        in_flight.add(id(call))
        link.in_flight.add(id(call))

        def ended(call: Any) -> None:
            in_flight.discard(id(call))
            if id(call) in link.in_flight:  # its end may be told twice
                link.in_flight.remove(id(call))
                self.settle(link, call)

        call.add_done_callback(ended)

    def settle(self, link: Link, call: Any) -> None:
        """See to what the end of a call on this subchannel means for it."""
        if link.draining:
            self._connections.pool.drained(link)
        if self.outliers is not None:
            judging = self._judge_call(link.key.address, call, self.outliers)
            task = asyncio.get_running_loop().create_task(judging)
            self._judging.add(task)
            task.add_done_callback(self._judging.discard)

    def _load(self, address: str) -> int:
        return len(self._subchannels[address].in_flight)

    # --- outlier detection --------------------------------------------------------------------------------

    def _judge(self, cluster: Cluster | None) -> None:
        """Keep the records of the connected endpoints, and judge them at each interval."""
        if cluster is None or cluster.outlier_detection is None or not self._subchannels:
            self._stop_judging()
            return
        if self.outliers is None:
            self.outliers = OutlierDetector(cluster.outlier_detection, self._draw)
            self._sweep_later(self.outliers)
        self.outliers.keep(self._subchannels)

    def _sweep_later(self, outliers: OutlierDetector) -> None:
        self._sweep = asyncio.get_running_loop().call_later(outliers.config.interval, self._on_interval)

    def _on_interval(self) -> None:
        if self.outliers is not None:
            before = self.outliers.ejected
            self.outliers.sweep(asyncio.get_running_loop().time())
            self._sweep_later(self.outliers)
            if self.outliers.ejected != before:
                self._on_readiness()

    async def _judge_call(self, address: str, call: Any, outliers: OutlierDetector) -> None:
        if await self._connections.pool.judge(call, address, outliers) and self.outliers is outliers:
            self._on_readiness()

    def _stop_judging(self) -> None:
        self.outliers = None
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None


def _nothing() -> None:
    """Count nothing off."""


def _breaker_key(cluster: Cluster) -> tuple[str, str]:
    """What a circuit breaker counts by: the cluster and its EDS resource (gRFC A32)."""
    discovery = cluster.discovery
    return cluster.name, discovery.name if isinstance(discovery, EdsDiscovery) else ""
