"""`python -m bench.clients.reach SPEC`: how long the first call over a channel takes, or why it fails."""

from __future__ import annotations

import time
from typing import Any

import grpc

from bench.backend import SIZE
from bench.clients.answers import expect
from bench.clients.channels import open_channel
from bench.clients.orders import orders_to
from bench.clients.program import Spec, main


async def measure(spec: Spec) -> dict[str, object]:
    """Seconds, or the code; and how many streams to the control plane it took."""
    async with orders_to(spec["plane"]) as order, open_channel(spec["peer"], spec) as channel:
        began, failed = time.perf_counter(), ""
        try:
            method: Any = channel.unary_unary("/bench.Echo/Unary")
            expect(await method(b"x" * SIZE, timeout=spec["timeout"]), spec["expect"])
        except grpc.aio.AioRpcError as error:
            failed = f"{error.code().name}: {error.details()}"
        took = time.perf_counter() - began
        status = await order("status", node=spec["node"])
        return {"seconds": took, "failed": failed, "streams": status["opened"]}


if __name__ == "__main__":
    main(measure)
