"""A client without its stream, and the control plane it would speak to, both driven by hand.

What is wired is the real thing: `AdsClient` feeds `AdsMachine` and every target's `Dependencies`. Only what
its tasks do (read, write, wait) is done by the test, so that it happens in whatever order the test likes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import proxyless
from proxyless.client import AdsClient
from proxyless.messages import Request, Response
from proxyless.protocol import AdsMachine
from proxyless.resources import Kind
from proxyless.targets import ActiveTarget


class Wired(AdsClient):
    """The client; made in `loop`, which never gets to run a task of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            proxyless.Bootstrap.from_env({"XDS_ADDRESS": "127.0.0.1:1", "POD_NAME": "test"}), rng=Random(0)
        )
        self._task = loop.create_task(asyncio.sleep(0))  # so that none is made that opens a stream
        self.now = 0.0

    @property
    def machine(self) -> AdsMachine:
        return self._machine

    @property
    def active(self) -> list[ActiveTarget]:
        return list(self._targets.values())

    def _arm_timer(self) -> None:
        """The test says when time passes."""

    def open(self) -> None:
        self._machine.connected()
        self._send()

    def write(self) -> list[Request]:
        return self._machine.take_requests(self.now)

    def read(self, response: Response) -> None:
        self._machine.received(response, self.now)
        self._after_change()

    def lose(self, error: str) -> None:
        self._machine.disconnected(error)
        self._after_change()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._machine.tick(self.now)
        self._after_change()


@dataclass
class Plane:
    """What a state-of-the-world control plane does, Istiod's habits included.

    It answers a request that names something new, ignores one that carries an old nonce, and the names in a
    NACK; LDS and CDS answers list everything that is subscribed to.
    """

    world: dict[tuple[Kind, str], bytes] = field(default_factory=dict)
    names: dict[Kind, tuple[str, ...]] = field(default_factory=dict)
    asked: dict[Kind, tuple[str, ...]] = field(default_factory=dict)
    """The names of the last request, whether it was taken or ignored."""
    nonces: dict[Kind, str] = field(default_factory=dict)
    outbox: deque[Response] = field(default_factory=deque)
    first: bool = True
    count: int = 0

    def open(self) -> None:
        """A new stream; what was under way on the last one is lost."""
        self.names, self.asked, self.nonces, self.first = {}, {}, {}, True
        self.outbox.clear()

    def take(self, request: Request) -> None:
        """Take in a request, and hold it against the rules of ADS."""
        kind = request.kind
        assert request.first == self.first, "the node stands in the first request, and in no other"
        self.first = False
        before, asked = self.names.get(kind), self.asked.get(kind)
        self.asked[kind] = request.names
        if before is None:
            assert request.nonce == "", "a nonce of another stream"
            assert not request.error
        if kind.full_state:
            assert request.names, "this would ask for everything"
        assert list(request.names) == sorted(set(request.names))
        if request.error:
            assert request.names == asked, "names change in a NACK, where Istiod ignores them"
            return
        if before is not None and request.nonce != self.nonces.get(kind, ""):
            return
        self.names[kind] = request.names
        if set(request.names) - set(before or ()):
            self.push(kind)

    def push(self, kind: Kind, only: str | None = None) -> None:
        """Send what is subscribed to and exists; of RDS and EDS, `only` one if so wished."""
        if kind not in self.names:
            return
        found = {name: self.world[kind, name] for name in self.names[kind] if (kind, name) in self.world}
        if only is not None and not kind.full_state:
            found = {name: data for name, data in found.items() if name == only}
        if not found and not kind.full_state:
            return
        self.count += 1
        self.nonces[kind] = nonce = f"n{self.count}"
        packed = tuple((kind.type_url, data) for data in found.values())
        self.outbox.append(Response(kind.type_url, str(self.count), nonce, packed))


def serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())
