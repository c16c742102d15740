"""Calls around other calls, which give their responses in another way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import grpc
from grpc import aio


class _AroundCall(aio.UnaryStreamCall, aio.StreamStreamCall):  # type: ignore[type-arg]
    """Everything but the responses is the other call's."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def cancel(self) -> bool:
        return bool(self._call.cancel())

    def cancelled(self) -> bool:
        return bool(self._call.cancelled())

    def done(self) -> bool:
        return bool(self._call.done())

    def time_remaining(self) -> float | None:
        remaining: float | None = self._call.time_remaining()
        return remaining

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._call.add_done_callback(callback)

    async def initial_metadata(self) -> aio.Metadata:
        metadata: aio.Metadata = await self._call.initial_metadata()
        return metadata

    async def trailing_metadata(self) -> aio.Metadata:
        metadata: aio.Metadata = await self._call.trailing_metadata()
        return metadata

    async def code(self) -> grpc.StatusCode:
        code: grpc.StatusCode = await self._call.code()
        return code

    async def details(self) -> str:
        return str(await self._call.details())

    async def debug_error_string(self) -> str:
        """Return the call's own."""
        return str(await self._call.debug_error_string())

    async def wait_for_connection(self) -> None:
        await self._call.wait_for_connection()

    async def write(self, request: Any) -> None:
        await self._call.write(request)

    async def done_writing(self) -> None:
        await self._call.done_writing()


class IteratedCall(_AroundCall):
    """A call whose responses an interceptor replaced by an iterator of its own."""

    def __init__(self, call: Any, responses: AsyncIterable[Any]) -> None:
        if call is None:
            raise TypeError("an interceptor of a streaming call returned an iterator without making the call")
        super().__init__(call)
        self._responses = responses.__aiter__()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._responses

    async def read(self) -> Any:
        try:
            return await self._responses.__anext__()
        except StopAsyncIteration:
            return aio.EOF


class AnsweredCall(_AroundCall):
    """A call whose first response is being read already."""

    def __init__(self, call: Any, first: asyncio.Task[Any]) -> None:
        super().__init__(call)
        self._first: asyncio.Task[Any] | None = first

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not aio.EOF:
            yield message

    async def read(self) -> Any:
        if self._first is None:
            return await self._call.read()
        first, self._first = self._first, None
        return await first
