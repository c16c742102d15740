"""The call object of a unary call whose first attempt is under way; another may have to follow."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from grpc import aio

from .attempts import succeeded
from .dispatch import CallSpec

Again: TypeAlias = Callable[[Any, tuple[Any, ...]], tuple[aio.Call, CallSpec] | None]


class WatchedCall(aio.UnaryUnaryCall):  # type: ignore[type-arg]
    """Everything is the first attempt's, until that has failed and `again` has a call to take its place.

    The first attempt's end is told to `counted`. Where that is a failure `again` is asked, with what is known
    of how the attempt had `begun`, whether anybody awaits the call or not; it returns None where that attempt
    counts. `over` is told the end of the whole.
    """

    spec: CallSpec | None = None
    """Of the attempts that follow the first."""

    def __init__(
        self,
        first: Any,
        counted: Callable[[Any], None],
        again: Again,
        begun: tuple[Any, ...],
        over: Callable[[Any], None],
    ) -> None:
        self._call = first
        self._counted = counted
        self._again: Again | None = again
        self._begun = begun
        self._over = over
        self._callbacks: list[Callable[[Any], None]] | None = None
        first.add_done_callback(self._first_ended)

    def _first_ended(self, first: Any) -> None:
        self._counted(first)
        again, self._again = self._again, None
        if again is None:
            return  # grpc.aio may say it twice
        following = None if succeeded(first) else again(first, self._begun)
        if following is None:
            self._over(self)
        else:
            self._call, self.spec = following
            self._call.add_done_callback(lambda _: self._over(self))
        for callback in self._callbacks or ():
            self.add_done_callback(callback)

    def attempts(self) -> int:
        """How many there have been."""
        return 1 if self.spec is None else self.spec.attempts

    async def _told(self, what: str) -> Any:
        """Ask the call that counts; what a first attempt says that another follows is not an answer."""
        while True:
            asked = self._call
            answer = await getattr(asked, what)()
            if asked is self._call:
                return answer

    def __await__(self) -> Generator[Any, None, Any]:
        first = self._call
        try:
            return (yield from first.__await__())
        except aio.AioRpcError:
            if self._call is first:
                raise
        return (yield from self._call.__await__())

    # --- grpc.aio.RpcContext ------------------------------------------------------------------------------

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
        if self._again is None:
            self._call.add_done_callback(lambda _: callback(self))
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

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
            if self._call is first:
                raise
            await self._call.wait_for_connection()
