"""The call objects a caller holds while its inner call is still being brought about.

grpc.aio returns call objects synchronously, and so does this library: where the inner call can be started at
once the caller gets that one, watched (`watched.py`, `streams.py`), otherwise one of these. Each runs one
coroutine, `bring`, which ends with the inner call or raises what the caller is to get.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

import grpc
from grpc import aio

from .attempts import CANCELLED
from .replay import WriteQueue

# As grpc.aio words it.
_FINISHED = "RPC already finished."
_HALF_CLOSED = 'RPC is half closed after calling "done_writing".'
_MIXED = "The iterator and read/write APIs may not be mixed on a single RPC."


class DeferredCall(aio.Call):
    """What the four kinds have in common (grpc.aio.Call).

    `writes` is given where the caller gave no iterator of requests: what it writes is the iterator. `attempt`
    comes to hold the first inner call as soon as there is one, even if another may follow it. `answered` is
    given the response's initial metadata and returns what the caller gets. `asked` is set once somebody waits
    for these, or for the connection.
    """

    def __init__(
        self,
        bring: Coroutine[Any, Any, Any],
        deadline: float | None,
        writes: WriteQueue | None = None,
        attempt: asyncio.Future[aio.Call] | None = None,
        answered: Callable[[Any], Any] | None = None,
        asked: asyncio.Event | None = None,
    ) -> None:
        self._answered = answered
        self._asked = asked
        self._writes = writes
        self._attempt = attempt
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._inner: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], None]] = []
        self._task: asyncio.Task[Any] = self._loop.create_task(bring)
        # The task holds the call: as in grpc.aio, one that is made and forgotten still goes through.
        self._task.add_done_callback(self._settle)
        if writes is not None:
            self.add_done_callback(lambda _: writes.close())

    def _settle(self, task: asyncio.Task[Any]) -> None:
        """Take in what the task came to; a call that was cancelled meanwhile stays so."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self._error is not None:
            if error is None:
                task.result().cancel()
        elif self._inner is None:
            if error is None:
                self._inner = task.result()
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self._error = error
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self.add_done_callback(callback)

    async def _settled(self) -> None:
        """Wait until there is an inner call or an error; being cancelled meanwhile leaves the call alone."""
        if not self._task.done():
            waiter = self._loop.create_future()

            def wake(_: object) -> None:
                if not waiter.done():
                    waiter.set_result(None)

            self._task.add_done_callback(wake)
            try:
                await waiter
            finally:
                self._task.remove_done_callback(wake)
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

    async def _ask(self, what: str) -> Any:
        """Ask the inner call, or the error there is instead of one, how the call went."""
        await self._settled()
        if self._inner is not None:
            return await getattr(self._inner, what)()
        error = self._error
        if isinstance(error, asyncio.CancelledError):
            code = grpc.StatusCode.CANCELLED
            error = aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), CANCELLED, CANCELLED)
        if not isinstance(error, aio.AioRpcError):
            assert error is not None
            raise error
        return getattr(error, what)()

    # --- grpc.aio.RpcContext ------------------------------------------------------------------------------

    def cancel(self) -> bool:
        if self._task.done():
            self._settle(self._task)
        if self._inner is not None:
            return bool(self._inner.cancel())
        if self._error is not None:
            return False
        self._task.cancel()
        self._end(asyncio.CancelledError())
        return True

    def cancelled(self) -> bool:
        if self._inner is not None:
            return bool(self._inner.cancelled())
        return isinstance(self._error, asyncio.CancelledError)

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
            callback(self)
        else:
            self._callbacks.append(callback)

    # --- grpc.aio.Call ------------------------------------------------------------------------------------

    async def initial_metadata(self) -> aio.Metadata:
        self._ask_for_headers()
        metadata: aio.Metadata = await self._ask("initial_metadata")
        return metadata if self._answered is None else self._answered(metadata)

    async def trailing_metadata(self) -> aio.Metadata:
        metadata: aio.Metadata = await self._ask("trailing_metadata")
        return metadata

    async def code(self) -> grpc.StatusCode:
        code: grpc.StatusCode = await self._ask("code")
        return code

    async def details(self) -> str:
        details: str = await self._ask("details")
        return details

    async def debug_error_string(self) -> str:
        """Return the inner call's debug string, else what `details` says."""
        text: str = await self._ask("debug_error_string")
        return text

    def _ask_for_headers(self) -> None:
        if self._asked is not None:
            self._asked.set()

    async def wait_for_connection(self) -> None:
        self._ask_for_headers()
        inner = await self._call()
        await inner.wait_for_connection()


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
        inner = await self._call()
        try:
            async for message in inner:
                yield message
        except asyncio.CancelledError:
            inner.cancel()  # grpc.aio forgets to where the call has not begun
            raise

    async def read(self) -> Any:
        inner = await self._call()
        try:
            return await inner.read()
        except asyncio.CancelledError:
            inner.cancel()
            raise


class _StreamRequest(DeferredCall):
    async def write(self, request: Any) -> None:
        writes = self._own_writes()
        if self.done():
            raise asyncio.InvalidStateError(_FINISHED)
        if writes.half_closed:
            raise asyncio.InvalidStateError(_HALF_CLOSED)
        try:
            sent = await writes.put(request)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if sent:
            return
        if self.cancelled() or await self.code() is grpc.StatusCode.OK:
            raise asyncio.InvalidStateError(_FINISHED)
        raise aio.AioRpcError(
            await self.code(),
            await self.initial_metadata(),
            await self.trailing_metadata(),
            await self.details(),
            await self.debug_error_string(),
        )

    async def done_writing(self) -> None:
        writes = self._own_writes()
        try:
            await writes.end()
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _own_writes(self) -> WriteQueue:
        if self._writes is None:
            raise aio.UsageError(_MIXED)
        return self._writes

    async def wait_for_connection(self) -> None:
        """Wait for the first attempt's connection; where that one fails, for the last one's."""
        if self._attempt is not None:
            await asyncio.wait([self._task, self._attempt], return_when=asyncio.FIRST_COMPLETED)
            if self._attempt.done():
                try:
                    return await self._attempt.result().wait_for_connection()
                except aio.AioRpcError:
                    pass  # another attempt may follow
        return await super().wait_for_connection()


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
