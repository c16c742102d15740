"""What a cluster holds of its endpoints, whatever is spoken with them: links, shared and drained."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import grpc
from msgspec import Struct

from .balance import OutlierDetector, Readiness
from .slices import in_slices
from .steps import Steps

AT_ONCE = 16
"""How many links are being shut at a time: what each does in its first turn of the event loop adds up."""


class SubchannelKey(Struct, frozen=True):
    """What makes two subchannels the same."""

    address: str
    authority: str
    credentials: grpc.ChannelCredentials | None = None
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(eq=False)
class Link(ABC):
    """The way to one endpoint and what is known of it."""

    key: SubchannelKey
    readiness: Readiness = field(default=Readiness.CONNECTING, kw_only=True)
    users: int = field(default=0, kw_only=True)
    cause: str = field(default="", kw_only=True)
    """Why it has failed."""
    in_flight: set[int] = field(default_factory=set, kw_only=True)
    """Which calls; not how many: grpc.aio may say twice that one is done."""
    draining: bool = field(default=False, kw_only=True)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop, kw_only=True)
    task: asyncio.Task[None] | None = field(default=None, kw_only=True)
    listeners: set[Callable[[], None]] = field(default_factory=set, kw_only=True)

    @abstractmethod
    def connected(self) -> bool:
        """Whether a call can be sent right now."""

    def tell(self, readiness: Readiness) -> None:
        """Take in what is known now, and let those who hold it know."""
        if readiness is not self.readiness:
            self.readiness = readiness
            for listener in tuple(self.listeners):
                listener()


L = TypeVar("L", bound=Link)


class Pool(ABC, Generic[L]):
    """Links by key; an endpoint used by several clusters is connected to once.

    A cluster may have a thousand endpoints: connections are begun and ended in slices, others' turns between.
    """

    def __init__(self) -> None:
        self._active: dict[SubchannelKey, L] = {}
        self._chores: deque[Callable[[], None]] = deque()
        self._doing: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._shutting = asyncio.Semaphore(AT_ONCE)

    @abstractmethod
    def make(self, key: SubchannelKey) -> L:
        """The link of an endpoint, not connected yet."""

    @abstractmethod
    def connect(self, link: L) -> None:
        """Begin to connect, and keep watch."""

    @abstractmethod
    async def shut(self, link: L) -> None:
        """Disconnect, and return when nothing of it is left."""

    @abstractmethod
    async def judge(self, call: Any, address: str, outliers: OutlierDetector) -> bool:
        """Tell outlier detection how a call ended; whether that ejected the endpoint."""

    def acquire(self, key: SubchannelKey, listener: Callable[[], None]) -> L:
        """Take a share in the link of `key`; `listener` is called when its readiness changes."""
        link = self._active.get(key)
        if link is None:
            link = self._active[key] = self.make(key)
            self._soon(link, partial(self._connect, link))
        link.users += 1
        link.listeners.add(listener)
        return link

    def release(self, link: L, listener: Callable[[], None]) -> None:
        """Give a share back; the last one lets the calls in flight end, then closes it."""
        link.listeners.discard(listener)
        link.users -= 1
        # The pool may have been closed, and the link with it: asyncio.run ends tasks in any order.
        if link.users == 0 and self._active.get(link.key) is link:
            del self._active[link.key]
            link.draining = True
            if not link.in_flight:
                self._close(link)

    def drained(self, link: L) -> None:
        """A call has ended on a link that is to go: with the last one it does."""
        if not link.in_flight:
            self._close(link)

    def _soon(self, link: L, chore: Callable[[], None]) -> None:
        self._chores.append(chore)
        if self._doing is None or self._doing.done():
            self._doing = link.loop.create_task(in_slices(self._do()))

    def _do(self) -> Steps[None]:
        while self._chores:
            self._chores.popleft()()
            yield

    def _connect(self, link: L) -> None:
        if self._active.get(link.key) is link:  # nobody has given it back meanwhile
            self.connect(link)

    def _close(self, link: L) -> None:
        # A call that was dropped may be collected after the end of all things.
        if not link.loop.is_closed():
            self._soon(link, partial(self._shut, link))

    def _shut(self, link: L) -> None:
        task = link.loop.create_task(self._shut_in_turn(link))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _shut_in_turn(self, link: L) -> None:
        async with self._shutting:
            await self.shut(link)

    async def close(self) -> None:
        """Close every link, calls in flight included."""
        links = list(self._active.values())
        self._active.clear()
        for link in links:
            self._close(link)
        if self._doing is not None:
            # Where it was cancelled, as asyncio.run does in the end, what it had to do is left.
            await asyncio.wait([self._doing])
            await in_slices(self._do())
        if self._closing:
            await asyncio.wait(set(self._closing))
