"""What happens to instances, and to the ways to them."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from typing import Literal

from lanes.context import BASE

from ..book import CHAIN
from ..load import Load
from ..programs import Server
from ..wire import Manner
from ..world import LANES, VERSIONS, Spec, World
from .rounds import Rounds

EVERY = [(service, version) for service in CHAIN for version in VERSIONS]
JOINS_EACH = 7
"""Rounds of replacement until the next that has more to it: prime to how many versions there are."""

MANNERS: tuple[Manner | Literal["reset"], ...] = ("half-open", "delayed", "reset", "throttled")
SILENCE = 20.0
"""Seconds a way is faulty at most: attempts have ended by then, and no call has used up its deadline."""


async def endpoints(world: World, load: Load, rounds: Rounds) -> None:
    """The instance by which a version is known is replaced by another one.

    At times the one that went then joins again, and one of both leaves. Recovery: from the replacement until
    every client has taken it.
    """
    known = {version: world.of(*version) for version in EVERY}
    for version, (first, *others) in known.items():
        known[version] = [first]
        await world.replaced([], others)
    joined = left = 0
    for number in rounds:
        version = EVERY[number % len(EVERY)]
        (old,) = known[version]
        new = world.rng.choice([each for each in world.of(*version) if each is not old])
        since = world.now()
        await world.replaced([new], [old])
        rounds.recovered(since)
        known[version] = [new]
        if number % JOINS_EACH == 0:
            await world.replaced([old], [])
            joined += 1
            known[version] = [world.rng.choice([old, new])]
            await world.replaced([], [each for each in (old, new) if each not in known[version]])
            left += 1
    rounds.outcome.notes |= {"joined on top of it": joined, "left on top of it": left}
    await world.replaced(world.servers, [])


async def roll(world: World, load: Load, rounds: Rounds) -> None:
    """An instance is replaced by a new one, as by a rolling update: come first, leave, drain, end.

    Recovery: from when the new one serves until every client has left the old one.
    """
    for _ in rounds:
        old = world.servers[0]
        new = await world.new_server(old.service, old.version, wired=old in world.wires)
        await new.program.start()
        since = world.now()
        world.servers = [*world.servers[1:], new]
        await world.replaced([new], [old])
        rounds.recovered(since)
        if old.service == CHAIN[0]:
            await world.all_taken()
        await old.program.end(signal.SIGTERM)


async def kills(world: World, load: Load, rounds: Rounds) -> None:
    """An instance is killed; each fourth time every instance of a version, whose lanes base has to serve.

    Recovery: from the kill until a call of each lane and kind that began after it has been answered.
    """
    await world.turn(Spec.first())  # every version serves some lane
    for number in rounds:
        if number % 4 == 3:
            base = {(service, world.spec.version(service, BASE)) for service in CHAIN}
            service, version = world.rng.choice([each for each in EVERY if each not in base])
            await _version_lost(world, load, rounds, service, version)
            continue
        service, version = world.rng.choice(EVERY)
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


async def connections(world: World, load: Load, rounds: Rounds) -> None:
    """The way to an instance gets slow, narrow, or silent, or all its connections are reset.

    Recovery: from the fault until a call of each lane and kind that began after it has been answered.
    """
    for number in rounds:
        manner = MANNERS[number % len(MANNERS)]
        # Every version serves some lane; and an attempt on a way that is half open ends, which nothing else
        # sees to. Everywhere else that limit would keep calls from being made at once.
        await world.turn(replace(Spec.first(), limited=manner == "half-open"))
        await load.turnover(world.now())
        wired = [each for each in world.servers if each in world.wires]
        server = wired[(number + number // len(MANNERS)) % len(wired)]
        wire = world.wires[server]
        since = world.now()
        if manner == "reset":
            await _reset(world, server)
        else:
            wire.become(manner)
        recovered = asyncio.create_task(load.turnover(since))
        # A stream that was answered before has no limit but the call's own. It goes on with the way.
        await asyncio.wait([recovered], timeout=SILENCE)
        wire.become("sound")
        rounds.outcome.recoveries.append(await recovered - since)
        await load.turnover(world.now())
        await _serves_again(world, load, server.name)
    await world.turn(Spec.first())


async def _reset(world: World, server: Server) -> None:
    """Reset all connections to an instance.

    That is a loss to those calls alone that are on their way in this moment: what they had begun to get is
    gone as if the instance had died, and gRPC lets no client ask for it again.
    """
    loss = world.timeline.lost(server.name, world.now(), "reset")
    world.wires[server].reset()
    loss.ended = world.now()
