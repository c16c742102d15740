"""A steady load over lanes, for as long as somebody watches what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 60.0
"""Seconds that it goes on while nobody watches."""
_IN_FLIGHT = 100
# A machine that was asleep does not catch up on what it missed.
_LATE = 1.0


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in seconds, and waiting."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second, and the share of each lane."""

    rate: float = 0
    lanes: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"rate": self.rate, "lanes": dict(self.lanes)}


def rotation(lanes: Mapping[str, float]) -> Iterator[str]:
    """The lanes in turn for ever, each as often as its share and spread out evenly (smooth weighted)."""
    shares = {lane: share for lane, share in lanes.items() if share > 0}
    total, credit = sum(shares.values()), dict.fromkeys(shares, 0.0)
    while shares:
        for lane, share in shares.items():
            credit[lane] += share
        turn = max(credit, key=lambda lane: credit[lane])
        credit[turn] -= total
        yield turn


class Traffic:
    """Sends requests at a rate by `send`; ends by itself when `watching` was false for `PATIENCE` seconds."""

    def __init__(
        self,
        send: Callable[[str], Awaitable[object]],
        watching: Callable[[], bool],
        clock: Clock | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._send = send
        self._watching = watching
        self._clock = clock or Clock()
        self._ended = ended
        """Told when it has ended by itself."""
        self._task: asyncio.Task[None] | None = None
        self._in_flight: set[asyncio.Future[object]] = set()
        self.load = Load()

    async def set(self, load: Load) -> None:
        """This load from now on; none where its rate is 0."""
        await self.close()
        if load.rate > 0:
            self.load = load
            self._task = asyncio.create_task(self._run(load), name="steady load")

    async def close(self) -> None:
        """End it; what is under way is waited for no more."""
        tasks = [task for task in (self._task, *self._in_flight) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task, self.load = None, Load()

    async def _run(self, load: Load) -> None:
        clock = self._clock
        due = seen = clock.now()
        for lane in rotation(load.lanes):
            now = clock.now()
            if now < due:
                await clock.sleep(due - now)
            due = max(due, clock.now() - _LATE) + 1 / load.rate
            if self._watching():
                seen = clock.now()
            elif clock.now() - seen >= PATIENCE:
                break
            if len(self._in_flight) < _IN_FLIGHT:
                request = asyncio.ensure_future(self._send(lane))
                self._in_flight.add(request)
                request.add_done_callback(self._in_flight.discard)
        self.load = Load()
        self._ended()
