"""A steady stream of requests behind a step, so that it can say that none of them failed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType

from mesh.walkthrough.door import Door, Visit

_WORKERS = 4
_ENOUGH = 30.0


class Load:
    """Requests of these colours in turn, for as long as the context lasts."""

    def __init__(self, door: Door, colours: Sequence[str | None]) -> None:
        self._door = door
        self._colours = itertools.cycle(colours)
        self._tasks: list[asyncio.Task[None]] = []
        self._came = asyncio.Event()
        self._stopping = False
        self.count = 0
        self.failures: Counter[str] = Counter()

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is in flight is let finish: a request cut off by us would be no failure of the mesh.
        self._stopping = True
        if kind is not None:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=kind is not None)

    async def until(self, seen: Callable[[Visit], bool], colour: str | None) -> float | None:
        """When (monotonic seconds) a request of this colour was first seen to be so; None if it never was."""
        deadline = time.monotonic() + _ENOUGH
        while time.monotonic() < deadline:
            visit = await self._door.visit(colour)
            self._note(visit)
            if seen(visit):
                return time.monotonic()
        return None

    async def more(self, count: int) -> None:
        """Wait until so many more requests have been answered."""
        target = self.count + count
        while self.count < target:
            await self._came.wait()

    def summary(self) -> str:
        """How many there were and what failed."""
        failed = self.failures.total()
        if not failed:
            return f"{self.count} requests meanwhile, none failed"
        reason, times = self.failures.most_common(1)[0]
        return f"{self.count} requests meanwhile, {failed} failed, {times} of them with: {reason}"

    async def _work(self) -> None:
        while not self._stopping:
            self._note(await self._door.visit(next(self._colours)))

    def _note(self, visit: Visit) -> None:
        self.count += 1
        self.failures.update(visit.errors[:1])
        self._came.set()
        self._came = asyncio.Event()
