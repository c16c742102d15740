"""`python -m bench.clients.changes SPEC`: from a push to the answer of the first call that follows it.

Calls go one after the other all the while. When the push was written is the control plane's own time.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from typing import Any

import grpc

from bench.clients.answers import WrongAnswer
from bench.clients.channels import open_channel
from bench.clients.orders import orders_to
from bench.clients.program import Spec, main, settle_garbage

TIMEOUT = 60.0
PAUSE = 0.02
"""Seconds, at most, between a change and the next: they are not to come in step with anything."""


async def answered_by(method: Any, metadata: Any, version: str, *before: str) -> float:
    """Call until this version answers, and until then only those from before; when it did."""
    wanted = version.encode()
    while (answer := (await method(b"", metadata=metadata, timeout=TIMEOUT)).rstrip()) != wanted:
        if answer.decode() not in before:
            raise WrongAnswer(f"{answer!r} answered, neither {version} nor any of {before}")
    return time.perf_counter()


async def measure(spec: Spec) -> dict[str, list[float]]:
    """Seconds, by peer; each change is pushed to one peer, then to the other, in random order."""
    rng = random.Random(spec["seed"])
    versions = spec["versions"]
    metadata = [tuple(spec["header"])] if "header" in spec else []
    async with AsyncExitStack() as stack:
        order = await stack.enter_async_context(orders_to(spec["plane"]))
        methods: dict[str, Any] = {}
        for peer in spec["peers"]:
            channel: grpc.aio.Channel = await stack.enter_async_context(open_channel(peer, spec))
            methods[peer] = channel.unary_unary("/bench.Echo/Unary")
            await answered_by(methods[peer], metadata, versions[0])
        found: dict[str, list[float]] = {peer: [] for peer in methods}
        for turn in range(1, spec["changes"] + spec["warm_up"] + 1):
            version = versions[turn % len(versions)]
            peers = list(methods)
            rng.shuffle(peers)
            for peer in peers:
                if turn % 10 == 1:
                    settle_garbage()
                await asyncio.sleep(rng.uniform(0, PAUSE))
                follows = asyncio.create_task(answered_by(methods[peer], metadata, version, *versions))
                pushed = await order("push", key=version, node=spec["nodes"][peer])
                took = await follows - pushed["at"]
                if turn > spec["warm_up"]:
                    found[peer].append(took)
    return found


if __name__ == "__main__":
    main(measure)
