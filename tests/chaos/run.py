"""One run of chaos: the world, the load, the faults one after the other, the judge."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from random import Random

from .faults import FAULTS, Outcome, Rounds
from .judge import judge
from .load import Load
from .report import Report
from .world import EVERY_LANE, World

FULL = 540.0
"""Seconds that all faults have when `make chaos` runs them in full: the rest is for start and end."""


async def run(
    folder: Path, seed: int, seconds: float, only: Sequence[str], say: Callable[[str], None]
) -> Report:
    """Run the faults, or `only` some of them, for about so many seconds in all.

    In less than all the time a fault comes less often, and still less where there is no time for it.
    """
    rng = Random(seed)
    names = [name for name in FAULTS if not only or name in only]
    scale = min(1.0, seconds / FULL)
    outcomes: list[Outcome] = []
    broken, spent = "", 0.0
    async with World(folder, rng) as world:
        began = world.now()
        say(f"the mesh is up after {began:.1f} s")
        load = Load(world.channel, EVERY_LANE, world.now, rng)
        async with load:
            await load.turnover(began)
            for name in names:
                plan = FAULTS[name]
                wanted = max(plan.least, ceil(plan.rounds * scale))
                outcome = Outcome(name, wanted, wanted if scale == 1 else plan.least)
                outcomes.append(outcome)
                spent += plan.seconds
                until = began + seconds * spent / sum(FAULTS[each].seconds for each in names)
                try:
                    await plan.fault(world, load, Rounds(outcome, until, world.now))
                except Exception:  # noqa: BLE001 - it is told, and what came before it is worth telling
                    broken = f"{name}: {traceback.format_exc()}"
                    break
                rounds = f"{outcome.done} of {outcome.wanted}"
                say(f"{world.now():7.1f} s  {name}: {rounds}, {len(load.calls)} calls")
            took = world.now() - began
    # Only now nothing can arrive any more.
    verdict = judge(load.calls, world.timeline, world.attempts())
    return Report.of(seed, took, verdict, outcomes, broken)
