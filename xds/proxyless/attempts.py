"""What became of an attempt, and whether another one may follow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
from grpc import aio

from .clusters import ActiveCluster
from .endings import Ending, ending
from .replay import Replay
from .resources import RetryPolicy
from .retry import may_retry, pushback

_WRITE_FAILED = "Internal error from Core"
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


async def failure_of(call: Any) -> aio.AioRpcError | None:
    """Wait for the end of an attempt with one response; returns the failure to be retried, if it is one."""
    try:
        await call
    except aio.AioRpcError as error:
        return error
    except Exception:  # noqa: BLE001 - nothing of it was sent; whoever awaits the call is told why
        return None
    return None


async def failure_before_headers(call: Any) -> aio.AioRpcError | None:
    """Do the same for a call that is being written to: with response headers it is the one that counts."""
    told: list[aio.AioRpcError] = []
    call.add_done_callback(lambda _: told.append(_as_told(call)))
    headers = asyncio.create_task(call.initial_metadata())
    ended = asyncio.create_task(failure_of(call))
    try:
        await asyncio.wait((headers, ended), return_when=asyncio.FIRST_COMPLETED)
        # Empty ones say nothing: grpc.aio gives them for a response without headers, too.
        if headers.done() and headers.result() and not ended.done():
            return None
        failure = await ended
        if failure is not None and told and failure.details() == _WRITE_FAILED:
            return None if told[0].code() is grpc.StatusCode.OK else told[0]
        return failure
    except asyncio.CancelledError:
        ended.cancel()
        raise
    finally:
        headers.cancel()


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


def retriable(
    policy: RetryPolicy, failure: aio.AioRpcError, attempts: int, replay: Replay | None, *, slow: bool
) -> bool:
    """Whether another attempt may follow: none does once response headers came (gRFC A6).

    `slow` tells that the attempt took longer than one may.
    """
    committed = bool(failure.initial_metadata()) or (replay is not None and replay.committed)
    if committed:
        return False
    end = Ending("reset") if slow else ending(failure.details())
    return may_retry(policy, failure.code().value[0], attempts, lost=end.lost, http_status=end.http_status)


def asked_to_wait(failure: aio.AioRpcError) -> float | None:
    """Return what the server's push-back says: see `retry.pushback`."""
    found = None
    for name, value in failure.trailing_metadata() or ():
        if name == "grpc-retry-pushback-ms":
            found = value
    return pushback(found)
