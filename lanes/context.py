"""What a request carries through this process: its lane, and the metadata it takes along to the next hop.

Held in a context variable, so it follows `await`, `gather` and `create_task`, and reaches no other request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace

from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.context import Context

from lanes import baggage

BASE = "base"
"""How the absence of a lane is written where a name is wanted."""

END_USER = "end-user"
REQUEST_ID = "x-request-id"
TRACE_HEADERS = ("traceparent", "tracestate")
DEFAULT_HEADERS = frozenset({baggage.HEADER, END_USER, REQUEST_ID, *TRACE_HEADERS})


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Which baggage member names the lane, and which headers go on to the next hop."""

    key: str = "env"
    headers: frozenset[str] = DEFAULT_HEADERS

    def also(self, names: Iterable[str]) -> Forwarding:
        """The same, with more headers forwarded."""
        return replace(self, headers=self.headers | {name.lower() for name in names})


FORWARDING = Forwarding()
"""What is forwarded where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The lane of a request (None: base) and the metadata forwarded with every call made for it."""

    lane: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    members: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    key: str = field(default="", repr=False)
    """The key of the member that names the lane."""

    @property
    def lane_name(self) -> str:
        """The lane, or `base`."""
        return self.lane or BASE

    def get(self, name: str) -> str | None:
        """The first forwarded value of a header."""
        return next((value for key, value in self.metadata if key == name), None)


NOTHING = Carried()
_current: ContextVar[Carried] = ContextVar("lanes.carried", default=NOTHING)


def carry(metadata: Iterable[tuple[str, str | bytes]], forwarding: Forwarding = FORWARDING) -> Carried:
    """What a request with this metadata carries on; what cannot travel is left behind. Never raises.

    The metadata may be a call's, or the headers of a request or of a message: pairs of name and value.
    """
    baggages: list[str] = []
    others: list[tuple[str, str]] = []
    for raw_key, value in metadata:
        key = raw_key.lower()
        if key not in forwarding.headers or not isinstance(value, str):
            continue
        if key == baggage.HEADER:
            baggages.append(value)
        elif (clean := value.strip()) and clean.isascii() and clean.isprintable():
            others.append((key, clean))
    received = baggage.receive(baggages, forwarding.key)
    if received.header:
        others.append((baggage.HEADER, received.header))
    members = tuple((m.key, m.value) for m in baggage.parse(received.header) if m.key)
    return Carried(received.lane, tuple(others), members, forwarding.key)


def current() -> Carried:
    """What the request being served carries; NOTHING outside of one."""
    return _current.get()


def current_lane() -> str | None:
    """The lane of the request being served; None for base."""
    return _current.get().lane


def current_lane_name() -> str:
    """The lane of the request being served, or `base`."""
    return _current.get().lane or BASE


def outgoing(context: Context | None = None) -> tuple[tuple[str, str], ...]:
    """The metadata for a call made now: what is carried, with the members set in OpenTelemetry's baggage.

    Those it has removed are left out. The lane's member is the request's, whatever is set there.
    """
    carried = _current.get()
    before, after = dict(carried.members), otel_baggage.get_all(context)
    if before == after:
        return carried.metadata
    rest = tuple((key, value) for key, value in carried.metadata if key != baggage.HEADER)
    header = baggage.changed(carried.get(baggage.HEADER) or "", carried.key, before, after)
    return (*rest, (baggage.HEADER, header)) if header else rest


def adopt(carried: Carried) -> None:
    """Make this the request of the running task from here on, in OpenTelemetry's context as well.

    For tasks that serve one request and end with it; elsewhere `use` takes it back again.
    """
    _attach(carried)


@contextmanager
def use(carried: Carried) -> Iterator[Carried]:
    """Make this the request being served for the length of the block."""
    token, otel_token = _attach(carried)
    try:
        yield carried
    finally:
        otel_context.detach(otel_token)
        _current.reset(token)


@contextmanager
def in_lane(lane: str | None, forwarding: Forwarding = FORWARDING) -> Iterator[Carried]:
    """Run the block in this lane, None for base; what else the current request carries goes on.

    For what no request has started: a job, a command, a test.
    """
    carried = dict(now := outgoing())
    rest = [(key, value) for key, value in now if key != baggage.HEADER]
    header = baggage.colour(carried.get(baggage.HEADER, ""), forwarding.key, lane)
    with use(carry([*rest, (baggage.HEADER, header)], forwarding.also(carried))) as coloured:
        yield coloured


def _attach(carried: Carried) -> tuple[Token[Carried], Token[Context]]:
    context = otel_baggage.clear()
    for key, value in carried.members:
        context = otel_baggage.set_baggage(key, value, context)
    return _current.set(carried), otel_context.attach(context)
