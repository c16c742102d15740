"""`python -m bench.clients.size SPEC`: a whole mesh in one client, from nothing; then an endpoint changes."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

from bench.backend import SIZE
from bench.clients.answers import expect
from bench.clients.changes import answered_by
from bench.clients.orders import orders_to
from bench.clients.program import Spec, main
from bench.figures import OURS
from bench.scenes import SERVICE, target

PAYLOAD = b"x" * SIZE
SAMPLES = 10
"""Services, evenly spread, whose first call has to be answered as well."""


async def measure(spec: Spec) -> dict[str, Any]:
    """Seconds until all is acknowledged, until the samples have answered as well, and after each change."""
    count, node = spec["count"], spec["node"]
    names = [f"{SERVICE}-{i:04}" for i in range(count)]
    async with AsyncExitStack() as stack:
        order = await stack.enter_async_context(orders_to(spec["plane"]))
        began = time.perf_counter()
        channels = await _open(names, spec, stack)
        settled = asyncio.create_task(order("settled", node=node))
        sample = [
            channels[i].unary_unary("/bench.Echo/Unary") for i in range(0, count, max(1, count // SAMPLES))
        ]
        answers = asyncio.gather(*(method(PAYLOAD, timeout=spec["timeout"]) for method in sample))
        acknowledged = (await settled)["at"]
        for answer in await answers:
            expect(answer, "v1")
        applied = max(acknowledged, time.perf_counter()) - began
        changed = []
        for turn in range(spec["changes"] + 1):
            version = ("v2", "v1")[turn % 2]
            params = {"subset": "s0", "port": spec["ports"][version], "service": names[0]}
            await order("prepare", key=version, scene="endpoint", params=params)
            follows = asyncio.create_task(answered_by(sample[0], (), version, "v1", "v2"))
            pushed = await order("push", key=version, node=node)
            changed.append(await follows - pushed["at"])
        status = await order("status", node=node)
        return {
            "streams": status["opened"],
            "acknowledged": acknowledged - began,
            "applied": applied,
            "changed": changed[1:],
        }


async def _open(names: list[str], spec: Spec, stack: AsyncExitStack) -> list[Any]:
    """A channel for each service; gRPC's connect, or it would not ask for anything."""
    if spec["peer"] == OURS:
        import proxyless  # noqa: PLC0415 - gRPC's process is not to pay for it

        client = proxyless.Client(proxyless.Bootstrap.from_env(spec["ours"]))
        mesh = await stack.enter_async_context(client)
        return [await stack.enter_async_context(mesh.channel(target(name))) for name in names]
    import grpc  # noqa: PLC0415

    channels = [await stack.enter_async_context(grpc.aio.insecure_channel(target(name))) for name in names]
    for channel in channels:
        channel.get_state(try_to_connect=True)
    return channels


if __name__ == "__main__":
    main(measure)
