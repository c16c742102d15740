"""`python -m bench.clients.called SPEC`: the endpoints of a called cluster become many, then few again.

Calls go one after the other all the while. Each endpoint is a connection of its own to one server. They are
all there when this process has so many sockets, and as many calls in a row come by none that is new (sources
are no count: two connections may come from one port). They are gone when their descriptors are.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from typing import Any

from bench.clients.answers import WrongAnswer, expect
from bench.clients.arrival import TICK, Ticker
from bench.clients.changes import answered_by
from bench.clients.channels import open_channel
from bench.clients.orders import orders_to
from bench.clients.program import Spec, main, settle_garbage

FEW, MANY = "v3", "v2"
"""The versions of which the few are, and the many."""
PATIENCE = 60.0


async def descriptors() -> int:
    """How many this process has open; listing a thousand takes two milliseconds, so the loop does not."""
    return len(await asyncio.to_thread(os.listdir, "/proc/self/fd"))


async def all_connected(method: Any, count: int, descriptors_then: int) -> float:
    """Call until this many in a row come by no new connection, all sockets open; when the last was new."""
    seen: set[bytes] = set()
    last_new, known = time.perf_counter(), 0
    async with asyncio.timeout(PATIENCE):
        while known < count or await descriptors() < descriptors_then:
            version, _, connection = bytes(await method(b"", timeout=PATIENCE)).partition(b" ")
            if version != MANY.encode():
                raise WrongAnswer(f"{version!r} answered, after {MANY}")
            known += 1
            if connection not in seen:
                seen.add(connection)
                last_new, known = time.perf_counter(), 0
    return last_new


async def all_closed(method: Any, before: int) -> float:
    """Call until there are no more descriptors than before; when."""
    async with asyncio.timeout(PATIENCE):
        while await descriptors() > before:
            expect(bytes(await method(b"", timeout=PATIENCE)), FEW)
    return time.perf_counter()


async def measure(spec: Spec) -> dict[str, list[float]]:
    """Seconds by what was measured, of each arrival."""
    node, few, count = spec["node"], spec["few"]["params"]["count"], spec["count"]
    quantities = ("idle", "late", "cpu", "applied", "connected", "late, going", "cpu, going", "closed")
    found: dict[str, list[float]] = {each: [] for each in quantities}
    async with AsyncExitStack() as stack:
        order = await stack.enter_async_context(orders_to(spec["plane"]))
        channel = await stack.enter_async_context(open_channel(spec["peer"], spec))
        method: Any = channel.unary_unary("/bench.Echo/Unary")
        connection: Any = channel.unary_unary("/bench.Echo/Connection")
        await answered_by(method, (), FEW)
        await order("prepare", key="few", **spec["few"])
        ticker = Ticker()
        stack.push_async_callback(ticker.stop)
        for many in spec["many"]:
            await order("prepare", key="many", **many)
            settle_garbage()
            await asyncio.sleep(spec["idle"] / 4)
            ticker.reset()
            await asyncio.sleep(spec["idle"])
            found["idle"].append(ticker.late)
            before = await descriptors()

            ticker.reset()
            pushed = (await order("push", key="many", node=node))["at"]
            found["applied"].append(await answered_by(method, (), MANY, FEW) - pushed)
            connected = await all_connected(connection, count, before - few + count)
            found["connected"].append(connected - pushed)
            await asyncio.sleep(2 * TICK)
            found["late"].append(ticker.late)
            found["cpu"].append(ticker.cpu)

            settle_garbage()
            await asyncio.sleep(2 * TICK)
            ticker.reset()
            pushed = (await order("push", key="few", node=node))["at"]
            await answered_by(method, (), FEW, MANY)
            found["closed"].append(await all_closed(method, before) - pushed)
            await asyncio.sleep(2 * TICK)
            found["late, going"].append(ticker.late)
            found["cpu, going"].append(ticker.cpu)
    return found


if __name__ == "__main__":
    main(measure)
