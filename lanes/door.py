"""Colouring at the door: which lane a request from outside gets, what of it is believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from lanes import baggage
from lanes.context import END_USER, Carried, Forwarding, carry
from lanes.spec import lane_name_fault


@dataclass(frozen=True, slots=True)
class Visitor:
    """A request from outside as rules see it; header names are in lower case, `draw` is within [0, 1).

    `lane` is the one that its baggage names, where that is believed.
    """

    headers: Mapping[str, str]
    cookies: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    draw: float = 0.0
    lane: str | None = None


class Rule(Protocol):
    """Says which lane a visitor belongs to, None to leave it to the next rule."""

    def lane(self, visitor: Visitor) -> str | None:
        """The lane this rule gives the visitor."""


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """The value of a header is the lane, as in `x-lane: dev`; with `to`, any or one value leads there."""

    name: str
    equals: str | None = None
    to: str | None = None

    def lane(self, visitor: Visitor) -> str | None:
        """The header's value without blanks around it, or `to`."""
        return _named(visitor.headers.get(self.name.lower(), "").strip(), self.equals, self.to)


@dataclass(frozen=True, slots=True)
class CookieRule:
    """The same of a cookie."""

    name: str
    equals: str | None = None
    to: str | None = None

    def lane(self, visitor: Visitor) -> str | None:
        """The cookie's value, or `to`."""
        return _named(visitor.cookies.get(self.name, ""), self.equals, self.to)


@dataclass(frozen=True, slots=True)
class UserRule:
    """Who is signed in by one of these names."""

    names: frozenset[str]
    to: str

    def lane(self, visitor: Visitor) -> str | None:
        """`to` for these users."""
        return self.to if visitor.user in self.names else None


@dataclass(frozen=True, slots=True)
class ShareRule:
    """The visitors whose draw is within [start, end): a share of those who asked for no lane."""

    start: float
    end: float
    to: str

    def lane(self, visitor: Visitor) -> str | None:
        """`to` for this share."""
        return self.to if visitor.lane is None and self.start <= visitor.draw < self.end else None


def _named(value: str, equals: str | None, to: str | None) -> str | None:
    if not value or equals not in (None, value):
        return None
    return to or value


@dataclass(frozen=True, slots=True)
class Door:
    """Rules in order, the first that names a lane wins, and which headers from outside are believed."""

    rules: tuple[Rule, ...] = ()
    trust_baggage: bool = False
    trust_end_user: bool = False

    @property
    def draws(self) -> bool:
        """Whether chance has a say."""
        return any(isinstance(rule, ShareRule) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Admission:
    """What a request takes along from the door, and why a lane that was asked for was not given."""

    carried: Carried
    refusal: str | None = None


def admit(
    door: Door,
    visitor: Visitor,
    metadata: list[tuple[str, str]],
    forwarding: Forwarding,
    added: Mapping[str, str] | None = None,
) -> Admission:
    """Decide lane and forwarded metadata of a request from outside.

    `metadata` are its headers, `added` those that the door itself vouches for; they replace any from outside.
    A lane name that cannot be one is not given: the request is served all the same, in the lane it had.
    """
    vouched = dict(added or {})
    distrusted = set(vouched)
    if not door.trust_baggage:
        distrusted.add(baggage.HEADER)
    if not door.trust_end_user:
        distrusted.add(END_USER)
    believed = [(key, value) for key, value in metadata if key.lower() not in distrusted]
    carried = carry([*believed, *vouched.items()], forwarding)
    visitor = replace(visitor, lane=carried.lane)
    lane = next((name for rule in door.rules if (name := rule.lane(visitor))), None)
    if lane is None:
        return Admission(carried)
    if fault := lane_name_fault(lane):
        return Admission(carried, f"the lane name {lane[:80]!r} {fault}")
    return Admission(coloured(carried, lane, forwarding))


def coloured(carried: Carried, lane: str | None, forwarding: Forwarding) -> Carried:
    """The same request in another lane, None for base; the other members of its baggage stay as they are."""
    header = baggage.colour(carried.get(baggage.HEADER) or "", forwarding.key, lane)
    others = tuple((key, value) for key, value in carried.metadata if key != baggage.HEADER)
    metadata = (*others, (baggage.HEADER, header)) if header else others
    members = tuple((m.key, m.value) for m in baggage.parse(header) if m.key)
    return replace(carried, lane=lane, metadata=metadata, members=members)
