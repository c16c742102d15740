"""The call objects of streams under a retry policy: the first attempt is under way, and may yet be made anew.

That attempt counts from its first response on, or once its headers have told the caller something, or when
more has been written to it than is remembered (gRFC A6). From then on every message goes straight through.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

from grpc import aio
from grpc._cython import cygrpc

from .attempts import WRITE_FAILED, failure_told
from .clusters import ActiveCluster
from .replay import Replay
from .retry import BUFFER_LIMIT
from .subchannels import Subchannel
from .watched import (
    WATCHED,
    Again,
    StreamRequest,
    StreamResponse,
    WatchedCall,
    WatchedStreamStream,
    WatchedStreamUnary,
    WatchedUnaryStream,
)

_FINISHED = "RPC already finished."
_MIXED = "The iterator and read/write APIs may not be mixed on a single RPC."
"""As grpc.aio words them."""


class _Uncommitted(WatchedCall):
    """Another attempt may follow the first until `_commit`."""

    def __init__(
        self,
        again: Again,
        over: Callable[[Any], None],
        cluster: ActiveCluster,
        link: Subchannel,
        first: Any,
        start: Any,
    ) -> None:
        super().__init__(again, over, cluster, link, first, self._prepared(first, start))

    def _prepared(self, first: Any, start: Any) -> Any:
        """Make ready to remember; returns what another attempt is made from."""
        return start

    def _commit(self) -> None:
        if self._uncommitted():
            self._again = _none_follows
            self._forget()

    def _uncommitted(self) -> bool:
        return self._again is not None and self._again is not _none_follows

    def _forget(self) -> None:
        """Nothing need be remembered any more."""


def _none_follows(*_: Any) -> None:
    """Say that the attempt which has failed is the one that counts."""


class _Answered(_Uncommitted, StreamResponse):
    """With a stream of responses, of which the first makes the attempt count.

    So that it does, it is read ahead where the caller does not begin with that.
    """

    _messages: AsyncIterator[Any] | None = None
    _by_hand = False
    """Whether `read` has been called."""
    _answer: asyncio.Task[Any] | None = None
    """What is read ahead, until somebody takes it."""

    def _prepared(self, first: Any, start: Any) -> Any:
        self._first = first
        asyncio.get_running_loop().call_soon(self._read_ahead)
        return super()._prepared(first, start)

    def _read_ahead(self) -> None:
        if self._messages is None and not self._by_hand:
            self._answer = asyncio.get_running_loop().create_task(self._ask())
            # A call that nobody reads may fail without anybody being told.
            self._answer.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _ask(self) -> Any:
        message = await self._first.read()
        self._commit()
        return message

    async def _first_answer(self) -> Any:
        """The first response, of the attempt that gives one."""
        answer, self._answer = self._answer, None
        try:
            return await (self._ask() if answer is None else answer)
        except asyncio.CancelledError:
            self._first.cancel()
            raise
        except aio.AioRpcError:
            if self._call is self._first:
                raise
        return await self._call.read()

    def read(self) -> Coroutine[Any, Any, Any]:
        # The call's own, and none around it: this is what each message costs.
        read: Coroutine[Any, Any, Any] = self._call.read() if self._by_hand else self._read_first()
        return read

    async def _read_first(self) -> Any:
        if self._messages is not None and not self.done():
            raise aio.UsageError(_MIXED)
        self._by_hand = True
        return await self._first_answer()

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._messages is None and (self._by_hand or self._answer is not None):
            if self._by_hand:
                raise aio.UsageError(_MIXED)
            self._messages = self._read_on()
        return super().__aiter__()

    async def _iterate(self, first: Any, messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            message = await anext(messages, aio.EOF)
        except aio.AioRpcError:
            if self._call is first:
                raise
            messages = self._call
        else:
            self._commit()
            if message is aio.EOF:
                return
            yield message
        async for message in messages:
            yield message

    async def _read_on(self) -> AsyncIterator[Any]:
        """Iterate over what `read` gives: grpc.aio does not let both be mixed."""
        message = await self._first_answer()
        while message is not aio.EOF:
            yield message
            message = await self._call.read()

    async def initial_metadata(self) -> aio.Metadata:
        metadata = await super().initial_metadata()
        self._commit()
        return metadata


class _Written(_Uncommitted, StreamRequest):
    """Remembers what is written, as it was serialized then, for an attempt that may follow."""

    _rewriting: asyncio.Task[None] | None = None
    _half_closed = False

    def _prepared(self, first: Any, start: Any) -> Any:
        method, *rest = super()._prepared(first, start)
        self._serialize = method.serialize
        self._kept: list[bytes] | None = []
        """None once nothing need be remembered: every message is the call's own business."""
        self._size = 0
        return method.serialized, *rest

    def _forget(self) -> None:
        self._kept = None

    def _first_ended(self, first: Any) -> None:
        kept = self._kept
        super()._first_ended(first)
        if self.spec is not None and self._rewriting is None:
            self._rewriting = asyncio.get_running_loop().create_task(self._rewrite(self._call, kept or []))

    async def _rewrite(self, call: Any, kept: list[bytes]) -> None:
        """Write again what has been written."""
        with suppress(aio.AioRpcError, asyncio.InvalidStateError):  # it has ended, and says so itself
            for message in kept:
                await call.write(message)
            if self._half_closed:
                await call.done_writing()

    async def _decided(self) -> None:
        """Wait until it is known how a first attempt that has failed did so: here that is at once."""

    def write(self, request: Any) -> Coroutine[Any, Any, None]:
        write: Coroutine[Any, Any, None] = (
            self._call.write(request) if self._kept is None else self._write_and_keep(request)
        )
        return write

    async def _write_and_keep(self, request: Any) -> None:
        try:
            message = request if self._serialize is None else self._serialize(request)
        except Exception:
            if self._rewriting is not None:
                raise
            self._commit()
            await self._call.write(request)  # which does with it what grpc.aio does
            return
        if self._rewriting is None and await self._write_first(request):
            if self._kept is not None:
                self._kept.append(message)
                self._size += len(message)
                if self._size > BUFFER_LIMIT:
                    self._commit()
            return
        await self._rewritten()
        await self._call.write(message)

    async def _write_first(self, request: Any) -> bool:
        """Write to the first attempt; False where another has come to follow it."""
        first = self._call
        try:
            await first.write(request)
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            await self._decided()
            if self._call is first:
                told = failure_told(first) if isinstance(error, aio.AioRpcError) else error
                raise (told or asyncio.InvalidStateError(_FINISHED)) from None
        return self._call is first

    async def done_writing(self) -> None:
        self._half_closed = True
        if self._rewriting is None:
            first = self._call
            try:
                await first.done_writing()
            except cygrpc.InternalError:
                await first.code()  # why, it says when it has ended
                await self._decided()
                if self._call is first:
                    raise
            if self._call is first:
                return
        await self._rewritten()
        await self._call.done_writing()

    async def _rewritten(self) -> None:
        """Wait until the attempt that follows has been written what the first one was."""
        assert self._rewriting is not None
        await self._rewriting


class RetriedUnaryStream(_Answered, WatchedUnaryStream):
    """A unary-stream call."""


class _OneAnswer(_Uncommitted):
    """With one response to a stream of requests."""

    _known: asyncio.Task[None] | None = None
    """There where grpc.aio says of an attempt that a write has failed, before it knows how the call did."""

    def _first_ended(self, first: Any) -> None:
        if self._uncommitted() and self._known is None:
            failure = failure_told(first)
            if failure is not None and failure.details() == WRITE_FAILED:
                self._known = asyncio.get_running_loop().create_task(self._find_out(first))
                return
        super()._first_ended(first)

    async def _find_out(self, first: Any) -> None:
        try:
            with suppress(aio.AioRpcError):
                await first
        finally:
            self._first_ended(first)

    async def _decided(self) -> None:
        if self._known is not None:
            await asyncio.shield(self._known)

    async def _told(self, what: str) -> Any:
        answer = await super()._told(what)
        if self._known is None or self._known.done():
            return answer
        await self._decided()
        return await super()._told(what)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._response().__await__()

    async def _response(self) -> Any:
        first = self._call
        try:
            return await first
        except aio.AioRpcError:
            await self._decided()
            if self._call is first:
                raise
        return await self._call

    async def initial_metadata(self) -> aio.Metadata:
        first = self._call
        if not await first.initial_metadata():
            await self.code()  # empty ones may be those of a failure, and its end tells
        return await super().initial_metadata()


class _Replayed(_Uncommitted):
    """With an iterator of requests, of which a `Replay` remembers what was taken."""

    def _prepared(self, first: Any, start: Any) -> Any:
        self._replay: Replay = start[1]
        self.add_done_callback(lambda _: self._replay.close())
        return super()._prepared(first, start)

    def _forget(self) -> None:
        self._replay.commit()


class RetriedStreamUnary(_OneAnswer, _Written, WatchedStreamUnary):
    """A stream-unary call that is written to."""


class RetriedStreamStream(_Written, _Answered, WatchedStreamStream):
    """A stream-stream call that is written to."""


class ReplayedStreamUnary(_OneAnswer, _Replayed, WatchedStreamUnary):
    """A stream-unary call."""


class ReplayedStreamStream(_Replayed, _Answered, WatchedStreamStream):
    """A stream-stream call."""


RETRIED: dict[str, type[WatchedCall]] = {
    **WATCHED,
    "unary_stream": RetriedUnaryStream,
    "stream_unary": RetriedStreamUnary,
    "stream_stream": RetriedStreamStream,
}
"""A call with one request has nothing else to remember, and whoever started it has that."""

REPLAYED: dict[str, type[WatchedCall]] = {
    "stream_unary": ReplayedStreamUnary,
    "stream_stream": ReplayedStreamStream,
}
"""Those that were started with the messages of a `Replay`, which is what they take for their request."""
