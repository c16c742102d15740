"""One target at work: its configuration, its clusters, and the calls that wait for either."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from .balance import Status
from .breaker import ACTIVE_FAULTS
from .clusters import ActiveCluster, Connections
from .depgraph import AggregateConfig, Config, Dependencies, Failed, Lookup, Outcome
from .match import CallHeaders, Draw
from .names import Target
from .pools import Pool
from .resources import Mirror, Route
from .routing import Chosen, Course, Fallback, Refused, decide


class ActiveTarget:
    """What the channels of one target share."""

    def __init__(
        self,
        target: Target,
        pool: Pool[Any],
        draw: Draw,
        fallback: Fallback,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self.target = target
        self.dependencies = Dependencies(target.listener, target.authority)
        self.clusters: dict[str, ActiveCluster] = {}
        self.draw = draw
        self.fallback: Fallback = fallback
        self.users = 0
        self.number = draw(2**64)
        """What a hash policy knows the channel by (gRFC A42)."""
        self._connections = Connections(pool, target.authority, credentials, tuple(options))
        self._shadow_connections = Connections(pool, _shadow(target.authority), credentials, tuple(options))
        self._shadows: dict[str, ActiveCluster] = {}
        self._closed = False
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def closed(self) -> bool:
        """Whether nobody has a share in it any more."""
        return self._closed

    @property
    def outcome(self) -> Outcome:
        """The configuration in force, or why there is none."""
        return self.dependencies.outcome

    def resolve(self, lookup: Lookup, stream_error: str) -> bool:
        """Take in what is held now; True where something changed."""
        before = self.outcome
        self.dependencies.resolve(lookup, stream_error)
        after = self.outcome
        if after == before:
            return False
        wanted = after.clusters if isinstance(after, Config) else {}
        for name in list(self.clusters):
            if name not in wanted or isinstance(wanted[name], AggregateConfig):
                self.clusters.pop(name).close()
        for name in list(self._shadows):
            outcome = wanted.get(name)
            if outcome is None or isinstance(outcome, AggregateConfig):
                self._shadows.pop(name).close()
            else:
                self._shadows[name].update(outcome)
        for name, outcome in wanted.items():
            if not isinstance(outcome, AggregateConfig):
                self._cluster(name).update(outcome)
        self.notify()
        return True

    def _cluster(self, name: str) -> ActiveCluster:
        cluster = self.clusters.get(name)
        if cluster is None:
            cluster = self.clusters[name] = ActiveCluster(self._connections, self.draw, self.notify)
        return cluster

    def notify(self) -> None:
        """Wake every call that waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def changed(self) -> None:
        """Wait for the next change of configuration or readiness."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def serving(self, cluster: str) -> tuple[str, ActiveCluster]:
        """The cluster that serves for this one, itself or, of an aggregate, the first that can (gRFC A37).

        Asking makes it connect.
        """
        config = self.dependencies.outcome
        assert isinstance(config, Config)
        outcome = config.clusters[cluster]
        names = outcome.leaves if isinstance(outcome, AggregateConfig) else (cluster,)
        for name in names:
            active = self.clusters[name]
            active.wake()
            if active.picker.status is not Status.UNUSABLE:
                break
        return name, active

    def mirrored(self, mirror: Mirror) -> ActiveCluster | None:
        """The cluster that takes the copies: as `serving`, but its connections have another authority.

        None where the configuration has no such cluster any more.
        """
        if (
            self._closed
            or not isinstance(self.outcome, Config)
            or mirror.cluster not in self.outcome.clusters
        ):
            return None
        if not mirror.shadow_suffix:
            return self.serving(mirror.cluster)[1]
        outcome = self.outcome.clusters[mirror.cluster]
        names = outcome.leaves if isinstance(outcome, AggregateConfig) else (mirror.cluster,)
        for name in names:
            if name not in self._shadows:
                leaf = self.outcome.clusters[name]
                assert not isinstance(leaf, AggregateConfig)
                self._shadows[name] = ActiveCluster(self._shadow_connections, self.draw, self.notify)
                self._shadows[name].update(leaf)
            active = self._shadows[name]
            active.wake()
            if active.picker.status is not Status.UNUSABLE:
                break
        return active

    def status(self, cluster: str) -> tuple[Status, str]:
        """What a cluster can do now."""
        name, active = self.serving(cluster)
        reason = active.picker.reason
        return active.picker.status, reason if name == cluster or not reason else f"{name}: {reason}"

    def course(self, config: Config, call: CallHeaders, routes: Iterable[Route] | None = None) -> Course:
        """Begin a call's way through the routes of `config`."""
        return Course(
            config.table,
            call,
            self.draw,
            active_faults=_active_faults,
            routes=routes,
            channel=self.number,
        )

    def decide(self, config: Config, course: Course) -> tuple[Config, Course, Chosen | Refused]:
        """Decide for one call, with what the clusters can do now, and say by which configuration."""
        return decide(config, course, fallback=self.fallback, status=self.status)

    def connectivity(self, try_to_connect: bool) -> grpc.ChannelConnectivity:
        """The target as one channel's state: ready if any of its clusters is."""
        state = grpc.ChannelConnectivity
        if isinstance(self.outcome, Failed):
            return state.TRANSIENT_FAILURE
        if not isinstance(self.outcome, Config):
            return state.CONNECTING
        if try_to_connect:
            for cluster in self.clusters.values():
                cluster.wake()
        statuses = {cluster.picker.status for cluster in self.clusters.values() if cluster.awake}
        if not statuses:
            return state.IDLE
        if Status.USABLE in statuses:
            return state.READY
        return state.CONNECTING if Status.WAITING in statuses else state.TRANSIENT_FAILURE

    def close(self) -> None:
        """Give everything back."""
        self._closed = True
        for cluster in (*self.clusters.values(), *self._shadows.values()):
            cluster.close()
        self.clusters.clear()
        self._shadows.clear()
        self.notify()


def _active_faults() -> int:
    return ACTIVE_FAULTS.value


def _shadow(authority: str) -> str:
    """`host-shadow:port`, as Envoy names the authority of a copy."""
    host, colon, port = authority.rpartition(":")
    return f"{host}-shadow:{port}" if colon and port.isdigit() else f"{authority}-shadow"
