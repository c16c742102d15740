"""W3C baggage as text: reading the lane out of it and putting a lane into it, all else left as it came.

OpenTelemetry's propagator is not used to parse the header: it reads only the first of several `baggage`
headers, keeps the properties in the value (`dev;ttl=1`), escapes them on the way out as if they were part of
it, and reads `+` as a blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

HEADER = "baggage"
# What https://www.w3.org/TR/baggage/#limits obliges everyone to pass on; beyond it members may be dropped.
MAX_MEMBERS = 64
MAX_BYTES = 8192

_OWS = " \t"
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# baggage-octet, less `%`, which only starts an escape.
_VALUE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"


@dataclass(frozen=True, slots=True)
class Member:
    """One list-member: its key, its value as sent, its properties as sent, and the whole text of it."""

    key: str
    raw_value: str
    properties: str
    text: str

    @property
    def value(self) -> str:
        """The value with its percent escapes undone; bytes that are no UTF-8 become U+FFFD."""
        return unquote(self.raw_value, errors="replace")


@dataclass(frozen=True, slots=True)
class Baggage:
    """A baggage header fit to travel on, and the lane in it, None without one."""

    header: str
    lane: str | None


def is_key(text: str) -> bool:
    """Whether `text` may be the key of a member: an RFC 7230 token."""
    return bool(text) and _TOKEN.issuperset(text)


def parse(header: str) -> tuple[Member, ...]:
    """The members of a header, in order; what has no `=` or no proper key gets the key ''. Never raises."""
    return tuple(_member(text) for part in header.split(",") if (text := part.strip(_OWS)))


def _member(text: str) -> Member:
    pair, semicolon, properties = text.partition(";")
    key, equals, value = pair.partition("=")
    key = key.strip(_OWS)
    if not equals or not is_key(key):
        return Member("", "", "", text)
    return Member(key, value.strip(_OWS), semicolon + properties, text)


def format_member(key: str, value: str, properties: str = "") -> str:
    """The text of a member, its value escaped as the specification demands."""
    return f"{key}={quote(value, safe=_VALUE_SAFE)}{properties}"


def lane_of(members: Iterable[Member], key: str) -> str | None:
    """The lane the members name: the last member `key` with a value, as OpenTelemetry reads duplicates."""
    lane = None
    for member in members:
        if member.key == key:
            lane = member.value or None
    return lane


def receive(headers: Iterable[str], key: str) -> Baggage:
    """Several raw headers as the one that is passed on.

    What routing rules match must be unambiguous, so the lane's member is made plain (one member, nothing
    escaped that need not be). Other members pass as they came, malformed ones too, except those that cannot
    travel as gRPC metadata and those beyond the limits of the specification. Never raises.
    """
    members = _travelling(",".join(headers))
    lane = lane_of(members, key)
    kept: list[Member] = []
    wanted = max((i for i, m in enumerate(members) if m.key == key), default=-1)
    for index, member in enumerate(members):
        if member.key != key:
            kept.append(member)
        elif index == wanted and lane is not None:
            kept.append(_lane_member(member, key, lane))
    fitting = _within_limits(kept, key)
    # One that is too long to travel names no lane here either: all hops are to agree on it.
    return Baggage(_join(fitting), lane_of(fitting, key))


def colour(header: str, key: str, lane: str | None) -> str:
    """The header with the lane's member replaced (in its place, or at the front), or removed for None."""
    members = list(parse(header))
    fresh = [] if lane is None else [_member(format_member(key, lane))]
    place = next((i for i, m in enumerate(members) if m.key == key), 0)
    rest = [m for m in members[place:] if m.key != key]
    return _join(_within_limits([*members[:place], *fresh, *rest], key))


def changed(header: str, key: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """The header with what else somebody changed: members that are new, have another value, or are gone.

    `before` and `after` are all members by key, as OpenTelemetry has them. The lane's own is not theirs to
    change, and members nobody touched stay as they came.
    """
    touched = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} - {key}
    kept = [member for member in parse(header) if member.key not in touched]
    fresh = [
        _member(format_member(name, str(value)))
        for name, value in after.items()
        if name in touched and is_key(name)
    ]
    return _join(_within_limits([*kept, *fresh], key))


def _lane_member(member: Member, key: str, lane: str) -> Member:
    if member.raw_value != quote(lane, safe=_VALUE_SAFE):
        member = _member(format_member(key, lane, member.properties))
    # Rather the lane without its properties than neither.
    return member if len(member.text) <= MAX_BYTES else _member(format_member(key, lane))


def _travelling(header: str) -> list[Member]:
    """The members that gRPC takes as metadata: printable ASCII, a tab being no more than a blank."""
    return [m for m in parse(header.replace("\t", " ")) if m.text.isascii() and m.text.isprintable()]


def _within_limits(members: list[Member], key: str) -> list[Member]:
    """The members that fit the limits, first come first served, the lane's own before all others."""
    if len(members) <= MAX_MEMBERS and _size(members) <= MAX_BYTES:
        return members
    taken: set[int] = set()
    room = MAX_BYTES + 1
    for index in sorted(range(len(members)), key=lambda i: members[i].key != key):
        cost = len(members[index].text) + 1
        if cost <= room and len(taken) < MAX_MEMBERS:
            taken.add(index)
            room -= cost
    return [m for i, m in enumerate(members) if i in taken]


def _size(members: list[Member]) -> int:
    return sum(len(m.text) + 1 for m in members) - 1


def _join(members: Iterable[Member]) -> str:
    return ",".join(m.text for m in members)
