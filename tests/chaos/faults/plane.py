"""What happens to the control plane, and to what it says."""

from __future__ import annotations

import signal
from random import Random
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from proxyless.errors import ResourceError
from proxyless.parse import parse_resource
from proxyless.resources import KIND_OF_TYPE_URL, Kind

from tests.fuzz.mutate import mutate
from tests.fuzz.seeds import MESSAGES

from ..load import Load
from ..meddler import MANNERS, Conversation, Meddler
from ..world import World
from .rounds import Rounds

FORGERIES_A_FLIP = 10


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


async def boundaries(world: World, load: Load, rounds: Rounds) -> None:
    """Every client's stream is cut before its first message, the next one before its second, and so on.

    Recovery: from the last cut until every client has a whole conversation again, with the other rules.
    """
    async with Meddler(world.plane_address, world.rng) as meddler:
        await world.through(meddler.address)
        for number in rounds:
            meddler.cut_after, meddler.to_cut = number, world.clients
            wanted = meddler.cuts + world.clients
            world.xds.reset()
            while meddler.cuts < wanted:
                world.flip_unread()  # a conversation that is over goes on for news
                await world.admin.reload()
                await load.until(lambda _: True, after=world.now())
            since = world.now()
            await world.all_taken()
            world.timeline.settled(world.now())
            rounds.recovered(since)
        rounds.outcome.notes["streams cut"] = meddler.cuts
        rounds.outcome.notes["kinds of messages they were cut before"] = len(meddler.cut_before)
        await world.through(world.plane_address)


async def answers(world: World, load: Load, rounds: Rounds) -> None:
    """Answers come late, in parts, out of order, with nonces of the past, twice, and with nothing in them.

    Recovery: from a change of the rules until every client has taken it through all that.
    """
    async with Meddler(world.plane_address, world.rng) as meddler:
        await world.through(meddler.address)
        for number in rounds:
            meddler.manner = MANNERS[number % len(MANNERS)]
            if number % 4 == 3:
                world.xds.reset()  # a whole conversation, not only the news
                await world.all_taken()
            since = world.now()
            await world.flip()
            rounds.recovered(since)
        rounds.outcome.notes["answers meddled with"] = meddler.meddled
        await world.through(world.plane_address)


async def fuzz(world: World, load: Load, rounds: Rounds) -> None:
    """A resource that somebody holds is sent anew, changed into one that must be refused.

    Each tenth time the rules change as well. Recovery: from the forgery until the true one is in force again.
    """
    async with Meddler(world.plane_address, world.rng) as meddler:
        await world.through(meddler.address)
        refused = 0
        for number in rounds:
            since = world.now()
            talk, url = await _refusal(meddler, world.rng)
            refused += 1
            taken = await meddler.forge(talk, talk.sent[url])
            if taken:
                raise AssertionError(f"a client refused the true {url}: {taken}")
            rounds.recovered(since)
            if number % FORGERIES_A_FLIP == 0:
                await world.flip()
        rounds.outcome.notes["refused"] = refused
        await world.through(world.plane_address)


async def _refusal(meddler: Meddler, rng: Random) -> tuple[Conversation, str]:
    """Tell somebody something wrong until one who still asks for it has refused it; whom, and its type."""
    while True:
        talk, url, name, forged = _forgery(meddler, rng)
        if await meddler.forge(talk, forged):
            return talk, url
        if name in talk.names[url]:
            raise AssertionError(f"a client took this {url}: {forged}")
        # The rules have just changed, and what nobody asks for any more may be anything.


def _forgery(meddler: Meddler, rng: Random) -> tuple[Conversation, str, str, DiscoveryResponse]:
    """Whom to tell what: a whole response in which one resource is wrong."""
    while True:
        talk = rng.choice(meddler.conversations)
        url = rng.choice(sorted(talk.sent))
        true = talk.sent[url]
        mine = [i for i, each in enumerate(true.resources) if _name(url, each) in talk.names[url]]
        if not mine:
            continue
        forged = DiscoveryResponse()
        forged.CopyFrom(true)
        forged.version_info = f"forged-{rng.randrange(10**9)}"
        place = forged.resources[rng.choice(mine)]
        if (wrong := _wrong(KIND_OF_TYPE_URL[url], place.value, rng)) is not None:
            name = _name(url, place)
            place.value = wrong
            return talk, url, name, forged


def _name(url: str, resource: Any) -> str:
    return parse_resource(KIND_OF_TYPE_URL[url], url, resource.value).name


def _wrong(kind: Kind, data: bytes, rng: Random) -> bytes | None:
    """The resource changed into one that has to be refused; None where no such change was found."""
    true = MESSAGES[kind].FromString(data)
    if rng.randrange(16) == 0:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40))) + b"\xff"
    for _ in range(50):
        message = MESSAGES[kind]()
        message.CopyFrom(true)
        mutate(message, rng)
        name = "cluster_name" if kind is Kind.ENDPOINTS else "name"
        setattr(message, name, getattr(true, name))
        made: bytes = message.SerializeToString()
        try:
            parse_resource(kind, kind.type_url, made)
        except ResourceError:
            return made
    return None
