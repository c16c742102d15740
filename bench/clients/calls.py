"""`python -m bench.clients.calls SPEC`: calls over several channels in turns, interleaved in random order."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import grpc

from bench.backend import SIZE
from bench.clients.answers import WrongAnswer, expect
from bench.clients.channels import WITH_LANES, open_channel
from bench.clients.program import Spec, main, settle_garbage
from bench.figures import ENVOY
from lanes.context import carry, use

PAYLOAD = b"x" * SIZE
TIMEOUT = 60.0
Metadata = tuple[tuple[str, str], ...]
Call = Callable[[Metadata], Awaitable[None]]
_TICK = 1 / os.sysconf("SC_CLK_TCK")


def unary(channel: grpc.aio.Channel, spec: Spec) -> Call:
    """One call."""
    method: Any = channel.unary_unary("/bench.Echo/Unary")

    async def call(metadata: Metadata) -> None:
        expect(await method(PAYLOAD, metadata=metadata, timeout=TIMEOUT), spec["expect"])

    return call


def many(channel: grpc.aio.Channel, spec: Spec) -> Call:
    """One call with many answers, all read."""
    method: Any = channel.unary_stream("/bench.Echo/Many")
    request = str(spec["messages"]).encode()

    async def call(metadata: Metadata) -> None:
        count = 0
        async for answer in method(request, metadata=metadata, timeout=TIMEOUT):
            expect(answer, spec["expect"])
            count += 1
        if count != spec["messages"]:
            raise WrongAnswer(f"{count} messages")

    return call


def exchange(channel: grpc.aio.Channel, spec: Spec) -> Call:
    """One call in which each message waits for its answer."""
    method: Any = channel.stream_stream("/bench.Echo/Exchange")

    async def call(metadata: Metadata) -> None:
        stream = method(metadata=metadata, timeout=TIMEOUT)
        for _ in range(spec["messages"]):
            await stream.write(PAYLOAD)
            expect(await stream.read(), spec["expect"])
        await stream.done_writing()
        if await stream.read() is not grpc.aio.EOF:
            raise WrongAnswer("one message more")

    return call


KINDS = {"unary": unary, "many": many, "exchange": exchange}


def metadata_of(spec: Spec) -> Iterator[Metadata]:
    """What the calls say: always the same, or a value that was never there before (`{}` is a number)."""
    numbers = itertools.count(1_000_000)
    name, value = spec["header"]
    if "{}" not in value:
        return itertools.repeat(((name, value),))
    return (((name, value.format(number)),) for number in numbers)


def cpu_of(pid: int) -> float:
    """The CPU seconds that a process has used so far, to the kernel's tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


class Turn:
    """A number of calls on a channel, so many at once, and what they cost."""

    def __init__(self, peer: str, call: Call, spec: Spec) -> None:
        self._peer = peer
        self._call = call
        self._spec = spec
        self._metadata = metadata_of(spec)

    async def take(self, calls: int) -> dict[str, float]:
        """Make the calls; seconds a call: CPU of this process and of Envoy, wall, and the median latency."""
        at_once, pid = self._spec["at_once"], self._spec.get("envoy", 0)
        latencies: list[float] = []
        settle_garbage()
        envoy = cpu_of(pid) if self._peer == ENVOY else 0.0
        wall, cpu = time.perf_counter(), time.process_time()
        with ExitStack() as stack:
            if self._peer == WITH_LANES:
                stack.enter_context(use(carry(next(self._metadata))))
            if at_once == 1:
                await self._some(calls, latencies)
            else:
                await asyncio.gather(*(self._some(calls // at_once, latencies) for _ in range(at_once)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        # What a service passes on is the request's own: it has one `use` a request, which is no call's cost.
        return {
            "cpu": cpu / len(latencies),
            "wall": wall / len(latencies),
            "p50": median(latencies),
            "envoy": (cpu_of(pid) - envoy) / len(latencies) if self._peer == ENVOY else 0.0,
        }

    async def _some(self, calls: int, latencies: list[float]) -> None:
        carried = self._peer == WITH_LANES
        for _ in range(calls):
            metadata = () if carried else next(self._metadata)
            start = time.perf_counter()
            await self._call(metadata)
            latencies.append(time.perf_counter() - start)


async def measure(spec: Spec) -> dict[str, dict[str, list[float]]]:
    """By peer and quantity, the value of each round."""
    rng = random.Random(spec["seed"])
    async with AsyncExitStack() as stack:
        turns = {}
        for peer in spec["peers"]:
            channel = await stack.enter_async_context(open_channel(peer, spec))
            turns[peer] = Turn(peer, KINDS[spec["kind"]](channel, spec), spec)
        calls = {peer: spec["few"] if peer in spec.get("slow", ()) else spec["calls"] for peer in turns}
        for peer, turn in turns.items():
            for _ in range(spec["warm_up"]):
                await turn.take(calls[peer])
        found: dict[str, dict[str, list[float]]] = {peer: {} for peer in turns}
        for _ in range(spec["rounds"]):
            order = list(turns)
            rng.shuffle(order)
            for peer in order:
                for quantity, value in (await turns[peer].take(calls[peer])).items():
                    found[peer].setdefault(quantity, []).append(value)
    return found


if __name__ == "__main__":
    main(measure)
