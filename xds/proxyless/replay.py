"""The requests of a streaming call: taken from the caller once, sent as often as there are attempts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from grpc import aio

from .retry import BUFFER_LIMIT


class WriteQueue:
    """Turns `write` and `done_writing` into an async iterator; a write waits until its message was sent.

    That is when the iterator is asked for the next one.
    """

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[Any, asyncio.Future[bool]]] = asyncio.Queue()
        self._waiting: set[asyncio.Future[bool]] = set()
        self._closed = False
        self.half_closed = False

    async def put(self, message: Any) -> bool:
        """Hand over one message; False where the call ended before it was sent."""
        sent = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((message, sent))
        return await self._wait(sent)

    async def end(self) -> None:
        """Say that no more will come; saying it again has no effect."""
        if not self.half_closed:
            self.half_closed = True
            await self.put(_END)

    def close(self) -> None:
        """The call has ended: nobody takes messages any more."""
        self._closed = True
        for sent in self._waiting:
            if not sent.done():
                sent.set_result(False)
        # Whoever reads this iterator waits for nothing else.
        self._queue.put_nowait((_END, asyncio.get_running_loop().create_future()))

    async def _wait(self, sent: asyncio.Future[bool]) -> bool:
        if self._closed:
            return False
        self._waiting.add(sent)
        try:
            return await sent
        finally:
            self._waiting.discard(sent)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            message, sent = await self._queue.get()
            if message is not _END:
                yield message
            if not sent.done():
                sent.set_result(True)
            if message is _END:
                return


_END: Final = object()
"""What ends the requests, in the place of a message."""


class Rewound:
    """A stream of requests whose first can be had again, by an attempt in the place of one that never left.

    Whoever asks for the second has sent the first, so nothing more is remembered, and nothing is copied.
    """

    def __init__(self, source: AsyncIterable[Any] | Iterable[Any]) -> None:
        self._iterator = (source if isinstance(source, AsyncIterable) else as_async(source)).__aiter__()
        self._first: asyncio.Future[Any] | None = None
        self._takers = 0
        self.sent: Callable[[], Awaitable[None]] | None = None
        """Waits until the first attempt has left: grpc.aio cancels one that has no requests before that."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        self._takers += 1
        taker = self._takers
        if self._first is None:
            first = self._first = asyncio.get_running_loop().create_future()
            try:
                first.set_result(await anext(self._iterator, _END))
            except (Exception, asyncio.CancelledError) as error:
                if taker == self._takers:
                    raise
                first.set_exception(error)
            if taker != self._takers:
                return  # an attempt that has ended meanwhile; the message is the next one's
        message = await asyncio.shield(self._first)
        if message is _END:
            if taker == 1 and self.sent is not None:
                with suppress(aio.AioRpcError):
                    await self.sent()
            return
        yield message
        async for message in self._iterator:
            yield message


class Replay:
    """Remembers requests as they are first sent, so that another attempt can send them again.

    Past BUFFER_LIMIT bytes nothing is remembered any more and the call is committed (gRFC A6); so it is when
    the caller's iterator fails, as that failure must reach the caller.
    """

    def __init__(self, source: AsyncIterable[Any] | Iterable[Any], serialize: Any) -> None:
        self._iterator = (source if isinstance(source, AsyncIterable) else as_async(source)).__aiter__()
        self._serialize = serialize or _as_is
        self._seen: list[bytes] = []
        self._size = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._pulling: asyncio.Task[None] | None = None
        self._attempt = 0
        self.committed = False

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield every message from the first on, serialized; one attempt's worth, which the next one ends."""
        position = 0
        attempt = self._attempt = self._attempt + 1
        while True:
            while position == len(self._seen) and attempt == self._attempt:
                if self._failure is not None:
                    raise self._failure
                if self._ended:
                    return
                idle = self._pulling is None or self._pulling.done()
                if self.committed and idle:
                    async for each in self._iterator:  # which is this attempt's alone
                        yield self._serialize(each)
                    return
                # In a task of its own: an attempt that is cancelled must not cancel the caller's iterator,
                # and the next attempt goes on waiting for the same message.
                if idle:
                    self._pulling = asyncio.create_task(self._pull())
                assert self._pulling is not None
                await asyncio.shield(self._pulling)
            if attempt != self._attempt:
                return
            message = self._seen[position]
            position += 1
            if self.committed:  # nobody else reads them any more
                del self._seen[:position]
                position = 0
            yield message

    async def _pull(self) -> None:
        try:
            message = self._serialize(await anext(self._iterator))
            self._size += len(message)
        except StopAsyncIteration:
            self._ended = True
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
            # Kept, not raised: it may come while no attempt is waiting, and the next one must not miss it.
            self._failure = error
            self.committed = True
        else:
            self.committed = self.committed or self._size > BUFFER_LIMIT
            self._seen.append(message)

    def commit(self) -> None:
        """No other attempt will follow: remember nothing more."""
        self.committed = True

    def close(self) -> None:
        """Take no more from the caller: the call has ended."""
        if self._pulling is not None:
            self._pulling.cancel()


def _as_is(message: bytes) -> bytes:
    return message


async def as_async(source: Iterable[Any]) -> AsyncIterator[Any]:
    """Iterate asynchronously over what is at hand."""
    for message in source:
        yield message
