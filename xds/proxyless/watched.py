"""The call objects of calls whose first attempt is under way; another may have to follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, TypeAlias

import grpc
from grpc import aio
from grpc._cython import cygrpc

from .attempts import ended_with
from .clusters import ActiveCluster
from .dispatch import CallSpec
from .news import First
from .subchannels import Subchannel

Again: TypeAlias = Callable[[Any, ActiveCluster, Subchannel, Any], tuple[aio.Call, CallSpec] | None]


class WatchedCall(aio.Call):
    """Everything is the first attempt's, until that has failed and `again` has a call to take its place.

    `again` is asked at the end of a first attempt that failed, with the `start` it was made from, whether
    anybody awaits the call or not; it returns None where that attempt counts. `over` is told the end.

    An attempt of a stream that gave a response or sent a request counts, so what the first one could not do
    is all that has to be done again.
    """

    spec: CallSpec | None = None
    """Of the attempts that follow the first."""
    news: First | None = None
    """Where an observer wants to know of the first one's end."""
    _ended = False
    """Whether the first attempt has."""
    _awaited = False
    """Whether somebody waits for the response, and so finds out how the first attempt ended for nothing."""
    _callbacks: tuple[Callable[[Any], None], ...] = ()
    _half_closing: bool | asyncio.Task[None] = False
    """Whether the caller has no requests for the first attempt; what tells the one after it."""

    def __init__(
        self,
        again: Again,
        over: Callable[[Any], None],
        cluster: ActiveCluster,
        link: Subchannel,
        first: Any,
        start: Any,
    ) -> None:
        self._again: Again | None = again
        self._over = over
        self._cluster = cluster
        self._link = link
        self._call = first
        self._start = start
        self._in_flight = cluster.in_flight
        self._in_flight.add(id(first))
        link.in_flight.add(id(first))
        first.add_done_callback(self._first_ended)

    def _first_ended(self, first: Any) -> None:
        if self._ended:
            return  # grpc.aio may say it twice
        self._ended = True
        cluster, link = self._cluster, self._link
        self._in_flight.discard(id(first))
        link.in_flight.discard(id(first))
        if link.draining or cluster.outliers is not None:
            cluster.settle(link, first)
        if not self._awaited or self._callbacks:
            self._decide()

    def _decide(self) -> None:
        """See to what follows the first attempt, which has ended."""
        again, self._again = self._again, None
        if again is None:
            return
        first = self._call
        code = ended_with(first)
        well = code is grpc.StatusCode.OK
        following = None if well else again(first, self._cluster, self._link, self._start)
        self._start = None
        news = self.news
        if following is None:
            self._over(self)
            if news is not None:
                news.ended(code.name)
        else:
            self._call, self.spec = following
            if news is not None:
                news.failed(code.name, self._call, self.attempts)
            self._call.add_done_callback(lambda _: self._over(self))
            if self._half_closing:
                self._half_closing = asyncio.get_running_loop().create_task(self._call.done_writing())
        callbacks, self._callbacks = self._callbacks, ()  # they may know this call, and keep each other alive
        for callback in callbacks:
            self.add_done_callback(callback)

    def _counting(self) -> Any:
        """The attempt that counts, as far as that is known."""
        if self._ended and self._again is not None:
            self._decide()
        return self._call

    def attempts(self) -> int:
        """How many there have been."""
        return 1 if self.spec is None else self.spec.attempts

    async def _told(self, what: str) -> Any:
        """Ask the call that counts; what a first attempt says that another follows is not an answer."""
        while True:
            asked = self._counting()
            answer = await getattr(asked, what)()
            if asked is self._counting():
                return answer

    # --- grpc.aio.RpcContext ------------------------------------------------------------------------------

    def cancel(self) -> bool:
        return bool(self._counting().cancel())

    def cancelled(self) -> bool:
        return bool(self._counting().cancelled())

    def done(self) -> bool:
        return bool(self._counting().done())

    def time_remaining(self) -> float | None:
        remaining: float | None = self._counting().time_remaining()
        return remaining

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._ended:
            self._counting().add_done_callback(lambda _: callback(self))
        else:
            self._callbacks = (*self._callbacks, callback)

    # --- grpc.aio.Call ------------------------------------------------------------------------------------

    async def initial_metadata(self) -> aio.Metadata:
        metadata: aio.Metadata = await self._told("initial_metadata")
        return metadata

    async def trailing_metadata(self) -> aio.Metadata:
        metadata: aio.Metadata = await self._told("trailing_metadata")
        return metadata

    async def code(self) -> Any:
        return await self._told("code")

    async def details(self) -> str:
        details: str = await self._told("details")
        return details

    async def debug_error_string(self) -> str:
        """Return the debug string of the attempt that counts."""
        text: str = await self._told("debug_error_string")
        return text

    async def wait_for_connection(self) -> None:
        first = self._call
        try:
            await first.wait_for_connection()
        except aio.AioRpcError:
            if self._counting() is first:
                raise
            await self._call.wait_for_connection()


class _UnaryResponse(WatchedCall):
    def __await__(self) -> Generator[Any, None, Any]:
        first = self._call
        self._awaited = True
        try:
            response = yield from first.__await__()
        except BaseException as error:
            self._awaited = False
            if self._counting() is first or not isinstance(error, aio.AioRpcError):
                raise
        else:
            if self._again is not None:
                self._again = self._start = None
                self._over(self)
                if self.news is not None:
                    self.news.ended("OK")
            return response
        return (yield from self._call.__await__())


class StreamResponse(WatchedCall):
    """With a stream of responses."""

    _messages: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._messages is None:
            self._messages = self._iterate(self._call, self._call.__aiter__())
        return self._messages

    async def _iterate(self, first: Any, messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            async for message in messages:
                yield message
            return
        except aio.AioRpcError:
            if self._counting() is first:
                raise
        async for message in self._call:
            yield message

    async def read(self) -> Any:
        first = self._call
        try:
            return await first.read()
        except aio.AioRpcError:
            if self._counting() is first:
                raise
        return await self._call.read()


class StreamRequest(WatchedCall):
    """With requests that are written, or taken from an iterator."""

    async def write(self, request: Any) -> None:
        first = self._call
        try:
            await first.write(request)
        except (aio.AioRpcError, asyncio.InvalidStateError):
            if self._counting() is first:
                raise
            await self._call.write(request)

    async def done_writing(self) -> None:
        first = self._call
        try:
            await first.done_writing()
        except cygrpc.InternalError:
            await first.code()  # why, it says when it has ended
            if self._counting() is first:
                raise
        if self._counting() is first:
            self._half_closing = True
        else:
            await self._call.done_writing()


class WatchedUnaryUnary(_UnaryResponse, aio.UnaryUnaryCall):  # type: ignore[type-arg]
    """A unary-unary call."""


class WatchedUnaryStream(StreamResponse, aio.UnaryStreamCall):  # type: ignore[type-arg]
    """A unary-stream call."""


class WatchedStreamUnary(_UnaryResponse, StreamRequest, aio.StreamUnaryCall):  # type: ignore[type-arg]
    """A stream-unary call."""


class WatchedStreamStream(StreamResponse, StreamRequest, aio.StreamStreamCall):  # type: ignore[type-arg]
    """A stream-stream call."""


WATCHED: dict[str, type[WatchedCall]] = {
    "unary_unary": WatchedUnaryUnary,
    "unary_stream": WatchedUnaryStream,
    "stream_unary": WatchedStreamUnary,
    "stream_stream": WatchedStreamStream,
}
