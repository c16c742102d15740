"""What is kept of every call, and of all that a judge has to know of the world it was made in. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
KINDS: tuple[Kind, ...] = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
CHAIN = ("front", "back")
"""The services that a call goes through, in their order."""
Made: TypeAlias = Literal["at once", "made anew", "deferred"]
"""How: with a first attempt at once, which counts or is followed by another one, or in a task of its own."""
MESSAGES = 3
"""How many messages each stream of a call has."""


@dataclass(frozen=True, slots=True)
class Hop:
    """Who served a call, and the lane it saw: what a server says of itself and of the call."""

    service: str
    version: str
    instance: str
    lane: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that reached an instance, as that noted it, whatever came of it."""

    number: int
    """The call's."""
    hop: Hop
    arrived: float


@dataclass(slots=True)
class Call:
    """One call as its caller saw it; moments are seconds on the clock of the load."""

    number: int
    lane: str
    kind: Kind
    started: float
    answered: float | None = None
    """When the first answer came."""
    ended: float = inf
    answers: list[tuple[Hop, ...]] = field(default_factory=list)
    """The chain that served each answer."""
    code: str = "OK"
    details: str = ""
    made: Made | None = None
    """None where it never was."""

    @property
    def expected(self) -> int:
        """How many answers a whole call has."""
        return MESSAGES if self.kind.endswith("_stream") else 1


Allowed: TypeAlias = Mapping[tuple[str, str], frozenset[str]]
"""The versions that may serve, by service and lane."""


@dataclass(slots=True)
class Truth:
    """What was right from one moment to another; while a change is on its way, both truths are."""

    began: float
    allowed: Allowed
    ended: float = inf


@dataclass(slots=True)
class Loss:
    """An instance, or the way to it, that was lost without warning."""

    instance: str
    began: float
    ended: float
    why: str


class Timeline:
    """What was right when."""

    def __init__(self, now: float, allowed: Allowed) -> None:
        self.truths = [Truth(now, allowed)]
        self.losses: list[Loss] = []

    @property
    def allowed(self) -> Allowed:
        """What is right now, or is about to be."""
        return self.truths[-1].allowed

    def change(self, now: float, allowed: Allowed) -> None:
        """From now on this may be seen, and what was right before as well until `settled`."""
        self.truths.append(Truth(now, allowed))

    def settled(self, now: float) -> None:
        """Whoever starts a call from now on has to follow the last change."""
        for truth in self.truths[:-1]:
            truth.ended = min(truth.ended, now)

    def lost(self, instance: str, now: float, why: str) -> Loss:
        """An instance, or the way to it, is lost, and stays so until `ended` says otherwise."""
        loss = Loss(instance, now, inf, why)
        self.losses.append(loss)
        return loss


def was_right(truths: Iterable[Truth], call: Call, attempt: Attempt) -> bool:
    """Whether the version was right at some moment from the call's start to the attempt's arrival."""
    hop = attempt.hop
    return any(
        hop.version in truth.allowed.get((hop.service, call.lane), ())
        for truth in truths
        if truth.began <= attempt.arrived and truth.ended >= call.started
    )


def in_force(truths: Iterable[Truth], call: Call) -> frozenset[tuple[str, str, str]]:
    """Service, lane and version of all that was right at some moment from a call's start to its answer."""
    until = call.ended if call.answered is None else call.answered
    return frozenset(
        (service, lane, version)
        for truth in truths
        if truth.began <= until and truth.ended >= call.started
        for (service, lane), versions in truth.allowed.items()
        for version in versions
    )
