"""A stream of requests that copies are taken from while it goes by; who cannot keep up is given up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any

from .replay import as_async
from .retry import BUFFER_LIMIT

_FRAME = 5
"""Bytes that a message takes besides its own, so that empty ones count as well."""


class Tap:
    """Hands a call's requests on, serialized, and to every copy of the call without waiting for it."""

    def __init__(self, source: AsyncIterable[Any] | Iterable[Any], serialize: Callable[[Any], bytes]) -> None:
        self._source = source if isinstance(source, AsyncIterable) else as_async(source)
        self._serialize = serialize
        self._copies: list[CopiedRequests] = []

    def copy(self) -> CopiedRequests:
        """Begin a copy; it has what goes by from now on."""
        copied = CopiedRequests()
        self._copies.append(copied)
        return copied

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield the requests."""
        async for request in self._source:
            message = self._serialize(request)
            for copied in self._copies:
                copied.offer(message)
            yield message
        for copied in self._copies:
            copied.end()

    def close(self) -> None:
        """The call has ended: a copy that has not all of its requests yet is cut off."""
        for copied in self._copies:
            copied.cut()


class CutOffError(Exception):
    """A copy will not get the rest of its requests."""


class CopiedRequests:
    """The requests of one copy, at most BUFFER_LIMIT bytes of which wait to be sent."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._why = ""
        self._news = asyncio.Event()
        self._give_up: Callable[[], object] | None = None

    def serve(self, give_up: Callable[[], object]) -> None:
        """Somebody sends them; `give_up` is called where they are cut off, as a write may be held up."""
        self._give_up = give_up

    def offer(self, message: bytes) -> None:
        """Take one more, if there is room; else the copy is cut off."""
        if self._why:
            return
        self._size += len(message) + _FRAME
        self._waiting.append(message)
        if self._size > BUFFER_LIMIT:
            self.cut("it cannot keep up")
        self._news.set()

    def end(self) -> None:
        """There are no more."""
        self._ended = True
        self._news.set()

    def cut(self, why: str = "the call has ended") -> None:
        """Give it up, unless all of it is here."""
        if not self._ended and not self._why:
            self._why = why
            self._waiting.clear()
            self._news.set()
            if self._give_up is not None:
                self._give_up()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if self._why:
                raise CutOffError(self._why)
            if self._waiting:
                message = self._waiting.popleft()
                self._size -= len(message) + _FRAME
                yield message
            elif self._ended:
                return
            else:
                self._news.clear()
                await self._news.wait()
