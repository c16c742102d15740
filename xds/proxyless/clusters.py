"""One cluster of one target at work: its subchannels and the picker over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from .balance import Picker, Readiness, Status, make_picker
from .balance.picker import usable_by_priority
from .depgraph import ClusterConfig, ClusterOutcome, Failed, Pending
from .match import Draw
from .resources import Endpoints
from .subchannels import Subchannel, SubchannelKey, SubchannelPool


class ActiveCluster:
    """Holds the subchannels of a cluster from its first call on, and a picker that is always current.

    `changed` is called whenever the picker is made anew.
    """

    def __init__(
        self,
        pool: SubchannelPool,
        authority: str,
        draw: Draw,
        changed: Callable[[], None],
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._pool = pool
        self._authority = authority
        self._draw = draw
        self._changed = changed
        self._credentials = credentials
        self._options = tuple(options)
        self._subchannels: dict[str, Subchannel] = {}
        self._endpoints: Endpoints | None = None
        self._awake = False
        self.outcome: ClusterOutcome = Pending("its first configuration")
        self.picker = Picker(Status.WAITING, "its first configuration")

    def update(self, outcome: ClusterOutcome) -> None:
        """Take the cluster's new configuration."""
        if outcome is self.outcome:
            return
        self.outcome = outcome
        self._endpoints = outcome.endpoints if isinstance(outcome, ClusterConfig) else None
        if self._awake or not isinstance(outcome, ClusterConfig):
            self._connect()
        self._refresh()

    def wake(self) -> None:
        """Connect, if no call has asked for it before."""
        if not self._awake:
            self._awake = True
            self._connect()
            self._refresh()

    def pick(self, avoid: frozenset[str]) -> Subchannel | None:
        """Return the subchannel for the next call; None where none is connected any more.

        `avoid` names the addresses a retry has tried already.
        """
        while self.picker.status is Status.USABLE:
            subchannel = self._subchannels[self.picker.pick(self._draw, avoid)]
            if subchannel.connected():
                return subchannel
        return None

    def close(self) -> None:
        """Give every subchannel back."""
        self._endpoints = None
        self._connect()

    @property
    def readiness(self) -> dict[str, Readiness]:
        """What is known of each connected address."""
        return {address: each.readiness for address, each in self._subchannels.items()}

    @property
    def awake(self) -> bool:
        """Whether it has been asked to connect."""
        return self._awake

    def _connect(self) -> None:
        """Hold exactly the subchannels of the usable endpoints."""
        wanted: set[str] = set()
        if self._endpoints is not None:
            for group in usable_by_priority(self._endpoints):
                wanted.update(endpoint.address for _, endpoints in group for endpoint in endpoints)
        for address in wanted - self._subchannels.keys():
            key = SubchannelKey(address, self._authority, self._credentials, self._options)
            self._subchannels[address] = self._pool.acquire(key, self._on_readiness)
        for address in self._subchannels.keys() - wanted:
            self._pool.release(self._subchannels.pop(address), self._on_readiness)

    def _on_readiness(self) -> None:
        self._refresh()
        self._changed()

    def _refresh(self) -> None:
        outcome = self.outcome
        if isinstance(outcome, ClusterConfig):
            self.picker = make_picker(outcome.endpoints, self.readiness, self._draw)
        elif isinstance(outcome, Failed):
            self.picker = Picker(Status.UNUSABLE, outcome.reason)
        else:
            self.picker = Picker(Status.WAITING, f"waiting for {outcome.what}")
