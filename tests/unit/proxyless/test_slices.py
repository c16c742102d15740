"""Long work leaves the event loop to everything else, timers included, after each slice."""

from __future__ import annotations

import asyncio
from time import monotonic

from proxyless.slices import SLICE, in_slices
from proxyless.steps import Steps


def busy(slices: int, taken: list[float]) -> Steps[str]:
    for _ in range(slices):
        until = monotonic() + SLICE
        while monotonic() < until:
            pass
        taken.append(monotonic())
        yield
    return "done"


async def test_what_has_come_due_in_a_slice_runs_before_the_next() -> None:
    taken: list[float] = []
    woken: list[int] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(SLICE / 2)
            woken.append(len(taken))

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    assert await in_slices(busy(10, taken)) == "done"
    ticking.cancel()
    # Each slice is longer than the timer, so none goes by without it.
    assert woken == list(range(1, len(woken) + 1)) and len(woken) >= 9
