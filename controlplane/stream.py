"""One ADS stream (state of the world), without I/O: requests and snapshots in, responses out.

The habits are Istiod's: a request with a stale nonce is dropped with its names; names in a refusal are
ignored; every response carries the whole subscription, except that pushes of endpoints carry what changed; an
LDS subscription whose last name is dropped turns into a wildcard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from envoy.service.discovery.v3 import discovery_pb2

from controlplane.node import Node, parse_node
from controlplane.snapshot import NOTHING, SHORT_NAMES, TYPE_URLS, Resources, Snapshot

MAX_GENERATIONS = 128
"""Of how many it is remembered what they changed, for those who ask later whether that was taken."""

_WILDCARD_TYPES = ("LDS", "CDS")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A NACK: the version refused, the client's words, and when (ISO 8601)."""

    version: str
    message: str
    at: str


class Change(NamedTuple):
    """What a generation changed in one subscription."""

    generation: int
    short: str
    names: frozenset[str]


@dataclass(slots=True)
class Subscription:
    """What a client wants of one type, what it was sent, and what it said to that."""

    names: frozenset[str]
    wildcard: bool = False
    nonce: str = ""
    version_sent: str | None = None
    version_acked: str | None = None
    last_refusal: Refusal | None = None
    answered: str = ""
    refused: bool = False
    generation_sent: int = 0
    served: Resources = field(default=NOTHING)

    @property
    def state(self) -> str:
        """none, pending, refused or acknowledged: the client's answer to the last response."""
        if not self.nonce:
            return "none"
        if self.answered != self.nonce:
            return "pending"
        return "refused" if self.refused else "acknowledged"

    def wants(self, name: str) -> bool:
        """Whether the subscription covers the name."""
        return self.wildcard or name in self.names


class Stream:
    """The state of one client's stream. Its methods return the responses to send, in order."""

    def __init__(self, stream_id: str, snapshot: Snapshot) -> None:
        self.node: Node | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.changes: deque[Change] = deque()
        self._id = stream_id
        self._snapshot = snapshot
        self._responses = 0

    def on_request(
        self, request: discovery_pb2.DiscoveryRequest, now: str
    ) -> list[discovery_pb2.DiscoveryResponse]:
        """Take a request; raises NodeError where the first one does not say who asks."""
        if self.node is None:
            self.node = parse_node(request.node)
        short = SHORT_NAMES.get(request.type_url)
        if short is None:
            return []  # a type this control plane has nothing of: the client waits, as with Istiod
        known = self.subscriptions.get(short)
        if request.HasField("error_detail"):
            if known is not None and request.response_nonce == known.nonce:
                known.answered, known.refused = known.nonce, True
                message = str(request.error_detail.message)
                known.last_refusal = Refusal(known.version_sent or "", message, now)
            return []
        names = frozenset(str(name) for name in request.resource_names)
        if not names and short not in _WILDCARD_TYPES:
            self.subscriptions.pop(short, None)
            return []
        if known is None or not request.response_nonce:
            # The start of a subscription. The version a reconnecting client names is not ours to trust.
            known = Subscription(names - {"*"}, wildcard=not names or "*" in names)
            self.subscriptions[short] = known
            return [self._respond(short, known, self._resources(short, known))]
        if request.response_nonce != known.nonce:
            return []  # overtaken by a push: the client will answer that one
        if known.state != "refused" or request.version_info == known.version_sent:
            known.answered, known.refused = known.nonce, False
            known.version_acked = known.version_sent
        # else new names after a refusal, which repeat the version from before it: it stays refused
        return self._resubscribe(short, known, names)

    def _resubscribe(
        self, short: str, known: Subscription, names: frozenset[str]
    ) -> list[discovery_pb2.DiscoveryResponse]:
        wildcard = "*" in names or (not names and (known.wildcard or short == "LDS"))
        names -= {"*"}
        if names == known.names and wildcard == known.wildcard:
            return []
        added = names - known.names or (wildcard and not known.wildcard)
        known.names, known.wildcard = names, wildcard
        if not added and short not in _WILDCARD_TYPES:
            known.served = self._resources(short, known)
            return []
        return [self._respond(short, known, self._resources(short, known))]

    def on_snapshot(self, snapshot: Snapshot) -> list[discovery_pb2.DiscoveryResponse]:
        """Take a new state: one response for each type in which something this client gets has changed."""
        self._snapshot = snapshot
        while self.changes and self.changes[0].generation <= snapshot.generation - MAX_GENERATIONS:
            self.changes.popleft()
        found = []
        for short in TYPE_URLS:
            known = self.subscriptions.get(short)
            if known is None:
                continue
            resources = self._resources(short, known)
            if names := resources.changed_from(known.served):
                self.changes.append(Change(snapshot.generation, short, names))
                found.append(self._respond(short, known, resources, names if short == "EDS" else None))
        return found

    def _resources(self, short: str, known: Subscription) -> Resources:
        assert self.node is not None  # on_request() read it before there was a subscription
        return self._snapshot.view(self.node).resources(short, known.names, wildcard=known.wildcard)

    def _respond(
        self, short: str, known: Subscription, resources: Resources, only: frozenset[str] | None = None
    ) -> discovery_pb2.DiscoveryResponse:
        self._responses += 1
        known.nonce = f"{self._id}.{self._responses}"
        known.version_sent = resources.version
        known.generation_sent = self._snapshot.generation
        known.served = resources
        return discovery_pb2.DiscoveryResponse(
            version_info=resources.version,
            resources=[any_ for name, any_ in resources.by_name.items() if only is None or name in only],
            type_url=TYPE_URLS[short],
            nonce=known.nonce,
        )
