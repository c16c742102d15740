"""What is done to the mesh: each fault brings trouble some number of times, and tells how long it lasted."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from lanes.context import BASE

from .book import CHAIN
from .load import Load
from .world import LANES, VERSIONS, World


@dataclass
class Outcome:
    """What came of one fault."""

    name: str
    wanted: int
    done: int = 0
    recoveries: list[float] = field(default_factory=list)
    """Seconds, each."""
    notes: dict[str, int] = field(default_factory=dict)


class Rounds:
    """So many rounds of a fault, or as many as there is time for; one at least."""

    def __init__(self, outcome: Outcome, until: float, now: Callable[[], float]) -> None:
        self._until, self._now = until, now
        self.outcome = outcome

    def __iter__(self) -> Iterator[int]:
        for number in range(self.outcome.wanted):
            if number and self._now() >= self._until:
                return
            yield number
            self.outcome.done += 1

    def recovered(self, since: float) -> None:
        """What was brought about at `since` is over."""
        self.outcome.recoveries.append(self._now() - since)


Fault: TypeAlias = Callable[[World, Load, Rounds], Awaitable[None]]


async def control_plane(world: World, load: Load, rounds: Rounds) -> None:
    """The control plane is killed, stopped, or ended as asked, and serves again with other rules.

    Recovery: from when it serves again until every client has taken the rules.
    """
    for number in rounds:
        how = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)[number % 3]
        if how is signal.SIGSTOP:
            world.plane.send(how)
        else:
            await world.plane.end(how)
        world.flip_unread()
        await load.turnover(world.now())
        if how is signal.SIGSTOP:
            world.plane.send(signal.SIGCONT)
        else:
            await world.plane.start()
        since = world.now()
        await world.admin.reload()
        await world.all_taken()
        world.timeline.settled(world.now())
        rounds.recovered(since)


async def routes(world: World, load: Load, rounds: Rounds) -> None:
    """A lane's version of a service becomes another.

    Recovery: from the change until every client has taken it.
    """
    for _ in rounds:
        since = world.now()
        await world.flip()
        rounds.recovered(since)


async def kills(world: World, load: Load, rounds: Rounds) -> None:
    """An instance is killed; each fourth time every instance of a version, whose lanes base has to serve.

    Recovery: from the kill until a call of each lane and kind that began after it has been answered.
    """
    for number in rounds:
        every = [(service, version) for service in CHAIN for version in VERSIONS]
        if number % 4 == 3:
            base = {(service, world.spec.version(service, BASE)) for service in CHAIN}
            service, version = world.rng.choice([each for each in every if each not in base])
            await _version_lost(world, load, rounds, service, version)
            continue
        service, version = world.rng.choice(every)
        victim = world.rng.choice(world.of(service, version))
        since = world.now()
        loss = world.timeline.lost(victim.name, since, "killed")
        await victim.program.end()
        rounds.outcome.recoveries.append(await load.turnover(since) - since)
        loss.ended = world.now()
        await victim.program.start()
        await _serves_again(world, load, victim.name)


async def _version_lost(world: World, load: Load, rounds: Rounds, service: str, version: str) -> None:
    allowed = dict(world.timeline.allowed)
    for lane in LANES:
        if world.spec.version(service, lane) == version:
            allowed[service, lane] |= {world.spec.version(service, BASE)}
    since = world.now()
    world.timeline.change(since, allowed)
    victims = world.of(service, version)
    losses = [world.timeline.lost(each.name, since, "killed") for each in victims]
    for each in victims:
        await each.program.end()
    rounds.outcome.recoveries.append(await load.turnover(since) - since)
    for loss in losses:
        loss.ended = world.now()
    for each in victims:
        await each.program.start()
    for each in victims:
        await _serves_again(world, load, each.name)
    world.timeline.change(world.now(), world.spec.allowed())
    world.timeline.settled(world.now())


async def _serves_again(world: World, load: Load, name: str) -> None:
    """Wait until every client that wants to call an instance is connected to it."""
    (server,) = (each for each in world.servers if each.name == name)
    while not await world.connected(server):
        await load.until(lambda _: True, after=world.now())


FAULTS: dict[str, tuple[Fault, int, float]] = {
    "control-plane": (control_plane, 20, 80),
    "routes": (routes, 1000, 90),
    "kills": (kills, 12, 60),
}
"""By name: the fault, how often it comes in ten minutes, and how many of their seconds it may have."""
