"""A client of the mesh as a process of its own: asked for a call, it tells the answer and its peak memory.

`python -m tests.fakes.bystander ADDRESS` reads a line for each call from stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import proxyless

TARGET = "xds:///reviews:9080"
METHOD = "/test.Service/UnaryUnary"


class Bystander:
    """The process, as a test sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def call(self) -> dict[str, Any]:
        """Make a call; `answer` or `error`, and `peak`: MiB of memory at most so far."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"\n")
        told: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return told


@asynccontextmanager
async def bystander(address: str) -> AsyncIterator[Bystander]:
    """A client of this control plane."""
    command = (sys.executable, "-m", "tests.fakes.bystander", address)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield Bystander(process)
    finally:
        process.kill()
        await process.communicate()


def _peak() -> float:
    # Not getrusage, which counts what the parent had when this process began.
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) / 1024


async def _main(address: str) -> None:
    bootstrap = proxyless.Bootstrap.from_env({"XDS_ADDRESS": address, "POD_NAME": "bystander"})
    loop = asyncio.get_running_loop()
    async with proxyless.Client(bootstrap) as mesh:
        method = mesh.channel(TARGET).unary_unary(METHOD)
        while await loop.run_in_executor(None, sys.stdin.readline):
            try:
                told: dict[str, Any] = {"answer": (await method(b"", timeout=60)).decode()}
            except grpc.aio.AioRpcError as error:
                told = {"error": f"{error.code().name}: {error.details()}"}
            told["peak"] = _peak()
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
