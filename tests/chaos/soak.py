"""`make soak`: ten minutes of steady load; what every process holds at their end, and held when warm."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random, SystemRandom

from .about import about
from .judge import Verdict, judge
from .load import Load
from .programs import descriptors_of, memory_of
from .world import DRIVER, EVERY_LANE, Spec, World

SECONDS = 600.0
WARM = 0.2
"""The share of the time after which what is held is what will be held."""
ROOM = 0.02
"""By what share memory may be another at the end."""


@dataclass(frozen=True)
class Held:
    """What a process holds; the tasks of the control plane nobody can ask for."""

    memory: int
    descriptors: int
    tasks: int | None


def grown(before: dict[str, Held], after: dict[str, Held]) -> list[str]:
    """Who holds more than before, and of what."""
    found = []
    for name, was in before.items():
        now = after[name]
        if now.memory > was.memory * (1 + ROOM):
            found.append(f"{name}: memory {was.memory} -> {now.memory} bytes")
        if now.descriptors > was.descriptors:
            found.append(f"{name}: descriptors {was.descriptors} -> {now.descriptors}")
        if was.tasks is not None and now.tasks is not None and now.tasks > was.tasks:
            found.append(f"{name}: tasks {was.tasks} -> {now.tasks}")
    return found


async def look(world: World, load: Load) -> dict[str, Held]:
    """What every process holds while no call is on its way, and every client is connected with everybody.

    Which connections there are depends else on which lanes went where since an instance was last called by
    another, and with them how many descriptors and tasks.
    """
    await world.turn(Spec.every_pair())
    while not await world.fully_connected():
        await load.turnover(world.now())
    async with load.paused():
        gc.collect()
        # The ways between services are in this process, and take 256 KiB for each of their reads. What glibc
        # keeps of that when it is free is nothing that is held.
        ctypes.CDLL(None).malloc_trim(0)
        programs = {each.name: each.program for each in world.servers} | {"controlplane": world.plane}
        found = {name: Held(each.memory(), each.descriptors(), None) for name, each in programs.items()}
        own = os.getpid()
        found[DRIVER] = Held(memory_of(own), descriptors_of(own), len(asyncio.all_tasks()))
        # To ask takes a connection, of which gRPC lets go some time after it has been closed.
        for each in world.servers:
            tasks = int((await world.ask(each))["tasks"])
            found[each.name] = replace(found[each.name], tasks=tasks)
    return found


async def soak(folder: Path, seed: int, seconds: float) -> tuple[dict[str, Held], dict[str, Held], Verdict]:
    """Load for so long; returns what was held when warm, what at the end, and the judge's word."""
    rng = Random(seed)
    verdict = Verdict()
    # What the instances noted would have to be kept as long as it lasts; chaos has them do it.
    async with World(folder, rng, noting=False) as world:
        load = Load(world.channel, EVERY_LANE, world.now, rng)
        async with load:
            end = world.now() + seconds
            await _drive(load, end - seconds * (1 - WARM), world, verdict)
            before = await look(world, load)
            await _drive(load, end, world, verdict)
            after = await look(world, load)
    return before, after, verdict


async def _drive(load: Load, until: float, world: World, verdict: Verdict) -> None:
    """Flip routes now and then until a moment; calls are judged as they come, and not kept."""
    while load.now() < until:
        await world.flip()
        await load.until(lambda _: True, after=load.now() + 0.5)
        done = [call for call in load.calls if call.ended != float("inf")]
        load.calls = [call for call in load.calls if call.ended == float("inf")]
        seen = judge(done, world.timeline)
        verdict.calls += seen.calls
        verdict.made += seen.made
        verdict.findings += seen.findings
        oldest = min((call.started for call in load.calls), default=load.now())
        world.timeline.truths = [each for each in world.timeline.truths if each.ended >= oldest]


def main() -> int:
    """Run it; 0 where nothing has grown and nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of an earlier run; 0 draws one")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--json", type=Path, default=Path(".chaos") / "soak.json", help="where to report")
    given = parser.parse_args()
    seed = given.seed or SystemRandom().randrange(1, 2**31)
    print(f"seed {seed}", flush=True)
    told = about("soak", seed, given, parser)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        before, after, verdict = asyncio.run(soak(Path(folder), seed, given.seconds))
    print(f"{'process':<16}{'memory, warm':>16}{'end':>10}{'':>9}{'descriptors':>14}{'tasks':>12}")
    rows = []
    for name, was in before.items():
        now = after[name]
        change = now.memory / was.memory - 1
        row = [name, was.memory, now.memory, change, was.descriptors, now.descriptors, was.tasks, now.tasks]
        rows.append(row)
        tasks = "" if was.tasks is None else f"{was.tasks} > {now.tasks}"
        print(
            f"{name:<16}{was.memory / 2**20:>12.1f} MiB{now.memory / 2**20:>10.1f}{change:>+9.1%}"
            f"{f'{was.descriptors} > {now.descriptors}':>14}{tasks:>12}"
        )
    wrong = [*grown(before, after), *map(str, verdict.findings[:20])]
    given.json.parent.mkdir(parents=True, exist_ok=True)
    found = {"seed": seed, "seconds": given.seconds, "calls": verdict.calls, "made": dict(verdict.made)}
    report = told | found | {"rows": rows, "wrong": wrong}
    given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"{verdict.calls} calls, {len(verdict.findings)} went wrong")
    print("\n".join(wrong) or "nothing has grown")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
