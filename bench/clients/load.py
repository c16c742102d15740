"""`python -m bench.clients.load SPEC`: requests to several front doors in turns, as many as they answer."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import aiohttp

from bench.clients.answers import WrongAnswer
from bench.clients.calls import cpu_of
from bench.clients.program import Spec, main, settle_garbage

PATH = "/api/v1/products/0"


def chain_of(hop: dict[str, Any]) -> list[str]:
    """Who served a request, in order of their names."""
    below = [name for each in hop["calls"] for name in chain_of(each)]
    return sorted([f"{hop['service']}/{hop['version']}", *below])


class Door:
    """A front door, and the processes behind it."""

    def __init__(self, session: aiohttp.ClientSession, address: str, pids: list[int], spec: Spec) -> None:
        self._session = session
        self._url = f"http://{address}{PATH}"
        self._pids = pids
        self._spec = spec

    async def take(self, seconds: float) -> dict[str, float]:
        """Requests a second, and the CPU seconds of a request in all processes of the chain."""
        count, end = 0, time.perf_counter() + seconds

        async def visitor() -> None:
            nonlocal count
            while time.perf_counter() < end:
                await self._visit()
                count += 1

        settle_garbage()
        cpu, began = sum(map(cpu_of, self._pids)), time.perf_counter()
        await asyncio.gather(*(visitor() for _ in range(self._spec["at_once"])))
        took = time.perf_counter() - began
        return {"rate": count / took, "cpu": (sum(map(cpu_of, self._pids)) - cpu) / count}

    async def _visit(self) -> None:
        async with self._session.get(self._url, headers=self._spec["headers"]) as response:
            body = await response.json()
            if response.status != 200 or chain_of(body["hops"]) != self._spec["chain"]:
                raise WrongAnswer(f"{response.status}: {str(body)[:300]}")


async def measure(spec: Spec) -> dict[str, dict[str, list[float]]]:
    """By peer and quantity, the value of each round."""
    rng = random.Random(spec["seed"])
    found: dict[str, dict[str, list[float]]] = {peer: {"rate": [], "cpu": []} for peer in spec["doors"]}
    async with aiohttp.ClientSession() as session:
        doors = {
            peer: Door(session, door["address"], door["pids"], spec) for peer, door in spec["doors"].items()
        }
        for door in doors.values():
            await door.take(spec["seconds"])
        for _ in range(spec["rounds"]):
            order = list(doors)
            rng.shuffle(order)
            for peer in order:
                for quantity, value in (await doors[peer].take(spec["seconds"])).items():
                    found[peer][quantity].append(value)
    return found


if __name__ == "__main__":
    main(measure)
