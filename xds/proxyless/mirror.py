"""Copies of calls that go to another cluster as well: their answers and failures count for nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from grpc import aio

from .balance import Status
from .match import Draw
from .pools import Link
from .resources import Mirror
from .targets import ActiveTarget

_log = logging.getLogger("proxyless")

Start: TypeAlias = Callable[[Any], Any]
"""Makes the copy on a link and returns the call, an aio.Call or whatever the pool's calls are."""

_PATIENCE = 5.0
"""Seconds a copy waits for a connection; the call it is a copy of waits for nothing."""


class Mirrors:
    """Sends the copies of one channel's calls, each a task of its own."""

    def __init__(self, active: ActiveTarget, draw: Draw) -> None:
        self._active = active
        self._draw = draw
        self._tasks: set[asyncio.Task[None]] = set()

    def copy(self, mirrors: tuple[Mirror, ...], prepare: Callable[[], Start]) -> None:
        """Copy a call to those mirrors whose share hits.

        `prepare` is called at once for each of them, and returns what makes the call on a link.
        """
        for mirror in mirrors:
            if self._draw(mirror.fraction.denominator) < mirror.fraction.numerator:
                sending = self._send(mirror, prepare())
                task = asyncio.get_running_loop().create_task(sending, name="mirrored call")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Give up what is on its way."""
        for task in self._tasks:
            task.cancel()

    async def _send(self, mirror: Mirror, start: Start) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                call = await self._started(mirror, start)
            if call is not None:
                await _drained(call)
        except (aio.AioRpcError, TimeoutError) as error:
            _log.debug("a call mirrored to %s came to nothing: %s", mirror.cluster, error)

    async def _started(self, mirror: Mirror, start: Start) -> Any | None:
        while (cluster := self._active.mirrored(mirror)) is not None:
            subchannel = cluster.pick(frozenset(), None)
            if isinstance(subchannel, Link):
                if cluster.refusal() is not None or cluster.full() is not None:
                    return None
                call = start(subchannel)
                cluster.started(subchannel, call)
                return call
            if cluster.picker.status is Status.UNUSABLE:
                break
            await self._active.changed()
        return None


async def _drained(call: Any) -> None:
    """Take in the whole answer: a call that nobody reads would stay open."""
    if isinstance(call, (aio.UnaryStreamCall, aio.StreamStreamCall)):
        async for _ in call:
            pass
    else:
        await call
