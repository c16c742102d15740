"""What the page shows, section by section, and everybody who watches it change."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

_LIMIT = 64
"""So many events may wait for a subscriber; a slower one is dropped and, as browsers do, comes again."""

Section = dict[str, Any]

PING = b"event: ping\ndata: {}\n\n"
"""Says that all is well: an event, as a browser's script is not told of comments."""


class Subscriber:
    """One who watches; iterating gives events as bytes until it is too slow, or all is over."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue(_LIMIT + 1)
        self.dropped = False

    def send(self, event: bytes) -> None:
        """Queue an event, or end where too many wait."""
        if self.dropped:
            return
        if self._events.qsize() >= _LIMIT:
            self.end()
        else:
            self._events.put_nowait(event)

    def end(self) -> None:
        """No more events; what waits is not sent any more."""
        self.dropped = True
        while not self._events.empty():
            self._events.get_nowait()
        self._events.put_nowait(None)

    async def events(self, quiet: float) -> AsyncIterator[bytes]:
        """Each event as it comes; PING after so many seconds without one."""
        while True:
            try:
                event = await asyncio.wait_for(self._events.get(), quiet)
            except TimeoutError:
                event = PING
            if event is None:
                return
            yield event


class Feed:
    """The sections as they are now; a change goes to all who watch."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sections: dict[str, Section | Callable[[], Section]] = {}
        self._last: dict[str, bytes] = {}
        self._subscribers: set[Subscriber] = set()
        self._left = clock()
        self._watched = asyncio.Event()
        self._over = False

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._subscribers)

    @property
    def unwatched_for(self) -> float:
        """For how many seconds nobody has watched; 0 while somebody does."""
        return 0.0 if self._subscribers else self._clock() - self._left

    async def until_watched(self) -> None:
        """Wait until somebody watches."""
        await self._watched.wait()

    def publish(self, name: str, data: Section, whole: Callable[[], Section] | None = None) -> None:
        """Tell of a section, unless it is as it was; `whole` is what those get who come later."""
        event = encode(name, data)
        self._sections[name] = whole or data
        if whole is None and self._last.get(name) == event:
            return
        self._last[name] = event
        for subscriber in tuple(self._subscribers):
            subscriber.send(event)

    def has(self, name: str) -> bool:
        """Whether a section was told already."""
        return name in self._sections

    def sections(self) -> dict[str, Section]:
        """All sections as they are now."""
        return {name: each() if callable(each) else each for name, each in self._sections.items()}

    @contextmanager
    def subscribed(self) -> Iterator[Subscriber]:
        """Watch: every section as it is, then what changes."""
        subscriber = Subscriber()
        for name, data in self.sections().items():
            subscriber.send(encode(name, data))
        if self._over:
            subscriber.end()
        self._subscribers.add(subscriber)
        self._watched.set()
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._watched.clear()
                self._left = self._clock()

    def close(self) -> None:
        """End all who watch, and who come now."""
        self._over = True
        for subscriber in tuple(self._subscribers):
            subscriber.end()


def encode(name: str, data: Section) -> bytes:
    """A server-sent event: JSON has no line ends of its own."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode(errors="replace")
