"""What became of an attempt, and whether another one may follow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
from grpc import aio
from msgspec import Struct

from .around import AnsweredCall
from .clusters import ActiveCluster
from .endings import Ending, ending
from .replay import Replay
from .resources import RetryPolicy
from .retry import may_retry, pushback
from .subchannels import Subchannel

CANCELLED = "Locally cancelled by application!"
"""How grpc.aio words what its caller did; a server's own CANCELLED has other words."""
WRITE_FAILED = "Internal error from Core"
"""What grpc.aio makes of a status that comes while a request is being written: before it, or over it."""


class Retrying:
    """A call's place among those its cluster lets be retried: from one attempt's end to the next's."""

    def __init__(self) -> None:
        self._leave: Callable[[], None] | None = None

    def begin(self, cluster: ActiveCluster) -> bool:
        """Take the place; False where there is none to be had."""
        self._leave = cluster.enter_retry()
        return self._leave is not None

    def end(self) -> None:
        """Give it back, if it was taken."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class Ended(Struct, frozen=True):
    """How an attempt went: it counts, or it failed and another one may follow."""

    call: aio.Call
    failure: aio.AioRpcError | None = None
    slow: bool = False
    """It took longer than one attempt may."""
    cut: bool = False
    """That was found out here, so the call itself knows nothing of its failure."""

    def settled(self) -> aio.Call:
        """Return what the caller gets if no other attempt follows; raises it, where that is an error."""
        if self.cut and self.failure is not None:
            raise self.failure
        return self.call

    def unsent(self, link: Subchannel, replay: Replay | None) -> bool:
        """Whether nothing of it has left this process, and all of it can be sent again.

        A server may say in gRPC's own words whom it cannot reach itself; the connection to it stands then.
        """
        if self.failure is None or self.slow or (replay is not None and replay.committed):
            return False
        return ending(self.failure.details()).lost == "connect-failure" and link.lost()

    def retriable(self, policy: RetryPolicy, attempts: int, replay: Replay | None) -> bool:
        """Whether another attempt may follow: none does once response headers came (gRFC A6)."""
        failure = self.failure
        if failure is None or failure.initial_metadata() or (replay is not None and replay.committed):
            return False
        end = Ending("reset") if self.slow else ending(failure.details())
        return may_retry(
            policy, failure.code().value[0], attempts, lost=end.lost, http_status=end.http_status
        )


async def ended(call: Any, replay: Replay | None, limit: float | None, asked: asyncio.Event | None) -> Ended:
    """Wait until an attempt has failed, or counts; `limit` is when it has to, on the event loop's clock.

    With one response it counts once that is there; while it is written to, once it has response headers, too.
    A call with a stream of responses counts with the first: `asked` is for those, see `_before_answer`.
    """
    loop = asyncio.get_running_loop()
    if asked is None:
        failure = await (_failure_of(call) if replay is None else _failure_before_headers(call))
        return Ended(call, failure, limit is not None and loop.time() >= limit)
    first = loop.create_task(_first_of(call))
    answered = AnsweredCall(call, first)
    try:
        async with asyncio.timeout_at(limit):
            failure = await _before_answer(call, first, asked)
    except TimeoutError:
        details = "no response within the time of one attempt (per_try_timeout)"
        code = grpc.StatusCode.DEADLINE_EXCEEDED
        error = aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details, details)
        return Ended(answered, error, slow=True, cut=True)
    if failure is None and replay is not None:
        replay.commit()
    return Ended(answered, failure)


async def _first_of(call: Any) -> Any:
    return await call.read()


def ended_with(call: Any) -> grpc.StatusCode:
    """The status of a call that has just ended."""
    code: grpc.StatusCode = _at_once(call.code())
    return code


def failure_told(call: Any) -> aio.AioRpcError | None:
    """How a call failed that has just ended; None for one that its caller cancelled."""
    failure = _as_told(call)
    return None if failure.details() == CANCELLED else failure


async def _failure_of(call: Any) -> aio.AioRpcError | None:
    """Wait for the end of an attempt with one response; returns the failure to be retried, if it is one."""
    try:
        await call
    except aio.AioRpcError as error:
        return error
    except Exception:  # noqa: BLE001 - nothing of it was sent; whoever awaits the call is told why
        return None
    return None


async def _failure_before_headers(call: Any) -> aio.AioRpcError | None:
    """Do the same for a call that is being written to: with response headers it is the one that counts."""
    told = _end_of(call)
    headers = asyncio.create_task(call.initial_metadata())
    end = asyncio.create_task(_failure_of(call))
    try:
        await asyncio.wait((headers, end), return_when=asyncio.FIRST_COMPLETED)
        # Empty ones say nothing: grpc.aio gives them for a response without headers, too.
        if headers.done() and headers.result() and not end.done():
            return None
        return _truly(await end, told)
    except asyncio.CancelledError:
        end.cancel()
        raise
    finally:
        headers.cancel()


async def _before_answer(call: Any, first: asyncio.Task[Any], asked: asyncio.Event) -> aio.AioRpcError | None:
    """Do the same for a call with a stream of responses, of which the `first` is being read.

    Headers that are empty make it count only where the caller has `asked` for them, as they may be those of a
    response without any; else the first response tells.
    """
    told = _end_of(call)
    headers = asyncio.create_task(call.initial_metadata())
    asking = asyncio.create_task(asked.wait())
    try:
        waiting: set[asyncio.Task[Any]] = {first, headers, asking}
        while not first.done():
            if headers.done() and (headers.result() or asked.is_set()):
                return None
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        failure = None if first.cancelled() else first.exception()
        return _truly(failure, told) if isinstance(failure, aio.AioRpcError) else None
    except asyncio.CancelledError:
        call.cancel()
        raise
    finally:
        # A call that nobody reads any more may fail without anybody being told.
        first.add_done_callback(lambda task: task.cancelled() or task.exception())
        headers.cancel()
        asking.cancel()


def _truly(failure: aio.AioRpcError | None, told: list[aio.AioRpcError]) -> aio.AioRpcError | None:
    """The failure as the call told it when it ended; None where it had not failed at all."""
    if failure is not None and told and failure.details() == WRITE_FAILED:
        return None if told[0].code() is grpc.StatusCode.OK else told[0]
    return failure


def _end_of(call: Any) -> list[aio.AioRpcError]:
    """A list that is given the call's end, once that has come."""
    told: list[aio.AioRpcError] = []
    call.add_done_callback(lambda _: told.append(_as_told(call)))
    return told


def _as_told(call: Any) -> aio.AioRpcError:
    """How a call that has ended did so, as it says at this moment."""
    code, details = _at_once(call.code()), _at_once(call.details())
    metadata, trailers = _at_once(call.initial_metadata()), _at_once(call.trailing_metadata())
    return aio.AioRpcError(code, metadata, trailers, details, _at_once(call.debug_error_string()))


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise AssertionError("a call that has ended knows how")


def asked_to_wait(failure: aio.AioRpcError) -> float | None:
    """Return what the server's push-back says: see `retry.pushback`."""
    found = None
    for name, value in failure.trailing_metadata() or ():
        if name == "grpc-retry-pushback-ms":
            found = value
    return pushback(found)
