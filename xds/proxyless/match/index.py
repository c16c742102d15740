"""Which routes of a table can match a call at all, found without trying them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from heapq import merge
from typing import NamedTuple

from ..members import member_of, values_of
from ..resources import HeaderMatch, RouteMatch, StringMatch
from ..steps import Steps
from .headers import CallHeaders

_SMALL = 8
"""Routes up to which trying them all costs less than looking one up."""


class Where(NamedTuple):
    """Where a call has to say something: a header, "" for its path; as a whole, or as a member of a list."""

    header: str
    member: str | None = None


class Key(NamedTuple):
    """What it has to say there."""

    where: Where
    value: str


_where = lru_cache(Where)
"""The same one for all routes that look at the same place."""
_PATH = Where("")


def keys_of(match: RouteMatch) -> tuple[Key, ...]:
    """The values that a call must have to match."""
    headers = (key for header in match.headers if (key := _key_of(header)) is not None)
    if match.path.how == "exact" and not match.path.ignore_case:
        return (Key(_PATH, match.path.value), *headers)
    return tuple(headers)


def _key_of(header: HeaderMatch) -> Key | None:
    test = header.test
    if header.invert or header.treat_missing_as_empty or not isinstance(test, StringMatch):
        return None
    if test.how == "exact" and not test.ignore_case:
        return Key(_where(header.name), test.value)
    member = member_of(test.value) if test.how == "regex" else None
    return None if member is None else Key(_where(header.name, member.key), member.value)


class RouteIndex:
    """Routes by the rarest value that each insists on.

    That is an exact path, the exact value of a header, or the value of a member in a list; routes that
    insist on nothing of the kind are candidates for every call.
    """

    __slots__ = ("_buckets", "open")

    def __init__(self) -> None:
        self.open: list[int] = []
        """The places of the routes that are candidates for every call."""
        self._buckets: dict[Where, dict[str, list[int]]] = {}

    @classmethod
    def building(cls, asked: Sequence[tuple[Key, ...]]) -> Steps[RouteIndex]:
        """Build the index of routes that have these keys, in steps."""
        index = cls()
        if len(asked) <= _SMALL:
            index.open.extend(range(len(asked)))
            return index
        shared: dict[Key, int] = {}
        for keys in asked:
            yield
            for key in keys:
                shared[key] = shared.get(key, 0) + 1
        for i, keys in enumerate(asked):
            yield
            if keys:
                where, value = keys[0] if len(keys) == 1 else min(keys, key=shared.__getitem__)
                index._buckets.setdefault(where, {}).setdefault(value, []).append(i)
            else:
                index.open.append(i)
        return index

    def candidates(self, call: CallHeaders) -> Iterable[int]:
        """Return the places of all routes that may match, in order; whoever asks tries each of them."""
        found = [self.open]
        for where, by_value in self._buckets.items():
            value = call.get(where.header) if where.header else call.path
            if value is None:
                continue
            said = (value,) if where.member is None else set(values_of(where.member, value))
            found += [by_value[each] for each in said if each in by_value]
        return found[0] if len(found) == 1 else merge(*found)
