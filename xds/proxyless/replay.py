"""The requests of a streaming call: taken from the caller once, sent as often as there are attempts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

from .retry import BUFFER_LIMIT


class WriteQueue:
    """Turns `write` and `done_writing` into an async iterator; a write waits until its message is taken."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue(maxsize=1)
        self.half_closed = False

    async def put(self, message: Any) -> None:
        """Hand over one message."""
        await self._queue.put((True, message))

    async def end(self) -> None:
        """Say that no more will come; saying it again has no effect."""
        if not self.half_closed:
            self.half_closed = True
            await self._queue.put((False, None))

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            more, message = await self._queue.get()
            if not more:
                return
            yield message


class Replay:
    """Remembers requests as they are first sent, so that another attempt can send them again.

    Past BUFFER_LIMIT bytes nothing is remembered any more and the call is committed (gRFC A6); so it is when
    the caller's iterator fails, as that failure must reach the caller.
    """

    def __init__(self, source: AsyncIterable[Any] | Iterable[Any], serialize: Any) -> None:
        self._iterator = (source if isinstance(source, AsyncIterable) else _as_async(source)).__aiter__()
        self._serialize = serialize or _as_is
        self._seen: list[bytes] = []
        self._size = 0
        self._ended = False
        self._pulling: asyncio.Task[None] | None = None
        self.committed = False

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield every message from the first on, serialized; one attempt's worth."""
        position = 0
        while True:
            while position == len(self._seen):
                if self._ended:
                    return
                # In a task of its own: an attempt that is cancelled must not cancel the caller's iterator,
                # and the next attempt goes on waiting for the same message.
                if self._pulling is None or self._pulling.done():
                    self._pulling = asyncio.create_task(self._pull())
                await asyncio.shield(self._pulling)
            message = self._seen[position]
            if self.committed:
                self._seen[position] = b""
            position += 1
            yield message

    async def _pull(self) -> None:
        try:
            message = self._serialize(await anext(self._iterator))
        except StopAsyncIteration:
            self._ended = True
        except BaseException:
            self.committed = True
            raise
        else:
            self._size += len(message)
            self.committed = self.committed or self._size > BUFFER_LIMIT
            self._seen.append(message)

    def close(self) -> None:
        """Take no more from the caller: the call has ended."""
        if self._pulling is not None:
            self._pulling.cancel()


def _as_is(message: bytes) -> bytes:
    return message


async def _as_async(source: Iterable[Any]) -> AsyncIterator[Any]:
    for message in source:
        yield message
