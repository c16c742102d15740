"""What happens to instances, and to the ways to them."""

from __future__ import annotations

import signal
from dataclasses import replace

from lanes.context import BASE

from ..book import CHAIN
from ..load import Load
from ..wire import Manner
from ..world import LANES, VERSIONS, World
from .rounds import Rounds

EVERY = [(service, version) for service in CHAIN for version in VERSIONS]
JOINS_EACH = 7
"""Rounds of replacement until the next that has more to it: prime to how many versions there are."""


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
    manners: tuple[Manner | None, ...] = ("half-open", "delayed", None, "throttled")
    await world.turn(replace(world.spec, limited=True))  # nothing else ends an attempt on a half-open way
    await load.turnover(world.now())
    for number in rounds:
        manner = manners[number % len(manners)]
        wired = [each for each in world.servers if each in world.wires]
        server = wired[(number // len(manners)) % len(wired)]
        wire = world.wires[server]
        since = world.now()
        loss = world.timeline.lost(server.name, since, manner or "reset")
        if manner is None:
            wire.reset()
        else:
            wire.become(manner)
        rounds.outcome.recoveries.append(await load.turnover(since) - since)
        wire.become("sound")
        await load.turnover(world.now())
        await _serves_again(world, load, server.name)
        loss.ended = world.now()
    await world.turn(replace(world.spec, limited=False))
