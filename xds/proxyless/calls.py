"""The call objects a caller holds while its inner call is still being brought about.

grpc.aio returns call objects synchronously, and so does this library: where the inner call can be started at
once the caller gets that very object, otherwise one of these. Each runs one coroutine, `bring`, which ends
with the inner call or raises what the caller is to get.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

import grpc
from grpc import aio

from .replay import WriteQueue

_CANCELLED = "Locally cancelled by application!"


class DeferredCall(aio.Call):
    """What the four kinds have in common (grpc.aio.Call).

    `writes` is given where the caller gave no iterator of requests: what it writes is the iterator.
    """

    def __init__(
        self, bring: Coroutine[Any, Any, Any], deadline: float | None, writes: WriteQueue | None = None
    ) -> None:
        self._writes = writes
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._inner: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], None]] = []
        self._task: asyncio.Task[Any] = self._loop.create_task(bring)
        # Weak, so that a call nobody holds any more is cancelled, as in grpc.aio.
        settle = weakref.WeakMethod(self._settle)
        self._task.add_done_callback(lambda task: _settle_if_alive(settle, task))

    def __del__(self) -> None:
        task = getattr(self, "_task", None)
        if task is not None and not task.done() and not self._loop.is_closed():
            task.cancel()

    def _settle(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self._error = asyncio.CancelledError()
        elif (error := task.exception()) is not None:
            self._error = error
        else:
            self._inner = task.result()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self.add_done_callback(callback)

    async def _settled(self) -> None:
        """Wait until there is an inner call or an error; being cancelled meanwhile leaves the call alone."""
        if not self._task.done():
            await asyncio.wait([self._task])
        if self._inner is None and self._error is None:
            self._settle(self._task)

    async def _call(self) -> Any:
        """Return the inner call; raises the call's error. Being cancelled meanwhile cancels the call."""
        try:
            await self._settled()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._error is not None:
            raise self._error
        return self._inner

    # --- grpc.aio.RpcContext ------------------------------------------------------------------------------

    def cancel(self) -> bool:
        if self._inner is not None:
            return bool(self._inner.cancel())
        return False if self._error is not None else self._task.cancel()

    def cancelled(self) -> bool:
        if self._inner is not None:
            return bool(self._inner.cancelled())
        return isinstance(self._error, asyncio.CancelledError) or self._task.cancelled()

    def done(self) -> bool:
        return self._error is not None or (self._inner is not None and bool(self._inner.done()))

    def time_remaining(self) -> float | None:
        if self._inner is not None:
            remaining: float | None = self._inner.time_remaining()
            return remaining
        return None if self._deadline is None else max(0.0, self._deadline - self._loop.time())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._inner is not None:
            self._inner.add_done_callback(lambda _: callback(self))
        elif self._error is not None:
            self._loop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    # --- grpc.aio.Call ------------------------------------------------------------------------------------

    async def initial_metadata(self) -> aio.Metadata:
        await self._settled()
        return aio.Metadata() if self._inner is None else await self._inner.initial_metadata()

    async def trailing_metadata(self) -> aio.Metadata:
        await self._settled()
        return aio.Metadata() if self._inner is None else await self._inner.trailing_metadata()

    async def code(self) -> grpc.StatusCode:
        await self._settled()
        if self._inner is not None:
            code: grpc.StatusCode = await self._inner.code()
            return code
        if isinstance(self._error, aio.AioRpcError):
            return self._error.code()
        cancelled = isinstance(self._error, asyncio.CancelledError)
        return grpc.StatusCode.CANCELLED if cancelled else grpc.StatusCode.UNKNOWN

    async def details(self) -> str:
        await self._settled()
        if self._inner is not None:
            return str(await self._inner.details())
        if isinstance(self._error, aio.AioRpcError):
            return self._error.details() or ""
        return _CANCELLED if isinstance(self._error, asyncio.CancelledError) else str(self._error)

    async def debug_error_string(self) -> str:
        """Return the inner call's debug string, else what `details` says."""
        await self._settled()
        return (
            str(await self._inner.debug_error_string()) if self._inner is not None else await self.details()
        )

    async def wait_for_connection(self) -> None:
        inner = await self._call()
        await inner.wait_for_connection()


def _settle_if_alive(settle: weakref.WeakMethod[Any], task: asyncio.Task[Any]) -> None:
    method = settle()
    if method is not None:
        method(task)
    elif not task.cancelled():
        # Nobody is left to be told. Retrieve the error, so that asyncio does not report it as lost.
        task.exception()


class _UnaryResponse(DeferredCall):
    async def _response(self) -> Any:
        return await (await self._call())

    def __await__(self) -> Generator[Any, None, Any]:
        return self._response().__await__()


class _StreamResponse(DeferredCall):
    _messages: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._messages is None:
            self._messages = self._iterate()
        return self._messages

    async def _iterate(self) -> AsyncIterator[Any]:
        async for message in await self._call():
            yield message

    async def read(self) -> Any:
        inner = await self._call()
        return await inner.read()


class _StreamRequest(DeferredCall):
    async def write(self, request: Any) -> None:
        queue = self._queue()
        if queue.half_closed:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        await self._until_done(queue.put(request))

    async def done_writing(self) -> None:
        queue = self._queue()
        if not self.done():
            await self._until_done(queue.end())

    def _queue(self) -> WriteQueue:
        if self._writes is None:
            raise aio.UsageError(
                "The request stream was given as an iterator: write() cannot be used as well."
            )
        return self._writes

    async def _until_done(self, step: Awaitable[None]) -> None:
        """Take a step, unless the call ends first: then nobody takes the message any more."""
        writing = asyncio.ensure_future(step)
        ended = self._loop.create_task(self.code())
        try:
            await asyncio.wait([writing, ended], return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                raise asyncio.InvalidStateError("RPC already finished.")
            await writing
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            for task in (writing, ended):
                task.cancel()


class DeferredUnaryUnary(_UnaryResponse, aio.UnaryUnaryCall):  # type: ignore[type-arg]
    """A unary-unary call."""


class DeferredUnaryStream(_StreamResponse, aio.UnaryStreamCall):  # type: ignore[type-arg]
    """A unary-stream call."""


class DeferredStreamUnary(_UnaryResponse, _StreamRequest, aio.StreamUnaryCall):  # type: ignore[type-arg]
    """A stream-unary call."""


class DeferredStreamStream(_StreamResponse, _StreamRequest, aio.StreamStreamCall):  # type: ignore[type-arg]
    """A stream-stream call."""


DEFERRED: dict[str, type[DeferredCall]] = {
    "unary_unary": DeferredUnaryUnary,
    "unary_stream": DeferredUnaryStream,
    "stream_unary": DeferredStreamUnary,
    "stream_stream": DeferredStreamStream,
}
