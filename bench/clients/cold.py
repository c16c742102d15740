"""`python -m bench.clients.cold SPEC`: nothing but a first call; prints when all was imported, and
when it was answered.

Imports what a program of a user's own would import, and no more.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from bench.clients.answers import expect


async def first_call(channel: Any, expected: str) -> float:
    """One call; when it was answered, by the clock that all processes of the machine share."""
    answer = await channel.unary_unary("/bench.Echo/Unary")(b"x" * 64, timeout=30)
    answered = time.perf_counter()
    expect(answer, expected)
    return answered


async def main(spec: dict[str, Any]) -> None:
    """Over the channel of a peer."""
    if spec["peer"] == "ours":
        import proxyless  # noqa: PLC0415

        imported = time.perf_counter()
        client = proxyless.Client(proxyless.Bootstrap.from_env(spec["ours"]))
        async with client as mesh, mesh.channel(spec["target"]) as channel:
            answered = await first_call(channel, spec["expect"])
    else:
        import grpc.aio  # noqa: PLC0415

        imported = time.perf_counter()
        async with grpc.aio.insecure_channel(spec["target"]) as channel:
            answered = await first_call(channel, spec["expect"])
    sys.stdout.write(json.dumps([imported, answered]) + "\n")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
