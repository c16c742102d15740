"""What a cluster holds of its endpoints, whatever is spoken with them: links, shared and drained."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import grpc
from msgspec import Struct

from .balance import OutlierDetector, Readiness


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
    """Links by key; an endpoint used by several clusters is connected to once."""

    def __init__(self) -> None:
        self._active: dict[SubchannelKey, L] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @abstractmethod
    def open(self, key: SubchannelKey) -> L:
        """Begin to connect."""

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
            link = self._active[key] = self.open(key)
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

    def _close(self, link: L) -> None:
        loop = link.loop
        if loop.is_closed():
            return  # a call that was dropped has been collected after the end of all things
        task = loop.create_task(self.shut(link))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every link, calls in flight included."""
        for link in self._active.values():
            self._close(link)
        self._active.clear()
        if self._closing:
            await asyncio.wait(set(self._closing))
