"""`python -m bench.clients.arrival SPEC`: how long the event loop stands still while something big arrives.

A task wakes every millisecond and notes by how much it was late: nothing else of the program could have run
in that time either. Beside it the CPU time that the loop's own thread used between two wakings, which does
not count what other processes took from it, nor what other threads of this one did meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

from bench.clients.changes import answered_by
from bench.clients.channels import open_channel
from bench.clients.orders import Order, orders_to
from bench.clients.program import Spec, main, settle_garbage

TICK = 0.001


class Ticker:
    """Notes the longest time for which it could not run."""

    def __init__(self) -> None:
        self._task = asyncio.create_task(self._run())
        self.reset()

    def reset(self) -> None:
        """Forget what was."""
        self.late = self.cpu = 0.0

    async def stop(self) -> None:
        """End it."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            due, used = time.perf_counter() + TICK, time.thread_time()
            await asyncio.sleep(TICK)
            self.late = max(self.late, time.perf_counter() - due)
            self.cpu = max(self.cpu, time.thread_time() - used)


async def measure(spec: Spec) -> dict[str, list[float]]:
    """Seconds: longest stall, longest CPU between two wakings, how long until applied, longest when idle."""
    node = spec["node"]
    found: dict[str, list[float]] = {"late": [], "cpu": [], "applied": [], "idle": []}
    async with AsyncExitStack() as stack:
        order = await stack.enter_async_context(orders_to(spec["plane"]))
        channel = await stack.enter_async_context(open_channel(spec["peer"], spec))
        method: Any = channel.unary_unary("/bench.Echo/Unary")
        await answered_by(method, (), spec["before"])
        ticker = Ticker()
        stack.push_async_callback(ticker.stop)
        for arrival in spec["arrivals"]:
            await _prepare(order, arrival, spec)
            settle_garbage()
            await asyncio.sleep(spec["idle"] / 4)
            ticker.reset()
            await asyncio.sleep(spec["idle"])
            found["idle"].append(ticker.late)
            ticker.reset()
            pushed = await order("push", key="big", node=node)
            answered = await order("settled", node=node, whole=False)
            # Acknowledged is not applied: a call has to take it.
            metadata = [tuple(each) for each in arrival["metadata"]]
            await answered_by(method, metadata, spec["after"], spec["before"])
            found["applied"].append(time.perf_counter() - pushed["at"])
            await asyncio.sleep(2 * TICK)
            assert answered["at"] >= pushed["at"]
            found["late"].append(ticker.late)
            found["cpu"].append(ticker.cpu)
            await order("push", key="small", node=node)
            await answered_by(method, (), spec["before"], spec["after"])
            await order("settled", node=node, whole=False)
    return found


async def _prepare(order: Order, arrival: Any, spec: Spec) -> None:
    await order("prepare", key="big", scene=arrival["scene"], params=arrival["params"])
    await order("prepare", key="small", scene=spec["small"]["scene"], params=spec["small"]["params"])


if __name__ == "__main__":
    main(measure)
