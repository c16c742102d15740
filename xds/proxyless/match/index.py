"""Which routes of a table can match a call at all, found without trying them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from heapq import merge
from typing import TypeAlias

from ..members import member_of, values_of
from ..resources import HeaderMatch, RouteMatch, StringMatch
from ..steps import Steps
from .headers import CallHeaders

_SMALL = 8
"""Routes up to which trying them all costs less than looking one up."""


Where: TypeAlias = tuple[str, str | None]
"""Where a call has to say something: a header, "" for its path; as a whole, or as a member of a list."""

Key: TypeAlias = tuple[Where, str]
"""What it has to say there. Plain tuples of strings are nothing to the garbage collector."""

_PATH: Where = ("", None)


@lru_cache
def _where(header: str, member: str | None = None) -> Where:
    """The same one for all routes that look at the same place."""
    return header, member


def keys_of(match: RouteMatch) -> tuple[Key, ...]:
    """The values that a call must have to match."""
    headers = (key for header in match.headers if (key := _key_of(header)) is not None)
    if match.path.how == "exact" and not match.path.ignore_case:
        return ((_PATH, match.path.value), *headers)
    return tuple(headers)


def _key_of(header: HeaderMatch) -> Key | None:
    test = header.test
    if header.invert or header.treat_missing_as_empty or not isinstance(test, StringMatch):
        return None
    if test.how == "exact" and not test.ignore_case:
        return _where(header.name), test.value
    member = member_of(test.value) if test.how == "regex" else None
    return None if member is None else (_where(header.name, member.key), member.value)


class RouteIndex:
    """Routes by the rarest value that each insists on.

    That is an exact path, the exact value of a header, or the value of a member in a list; routes that
    insist on nothing of the kind are candidates for every call.
    """

    __slots__ = ("_buckets", "open")

    def __init__(self) -> None:
        self.open: list[int] = []
        """The places of the routes that are candidates for every call."""
        self._buckets: dict[Where, dict[str, tuple[int, ...]]] = {}

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
        crowded: dict[Key, list[int]] = {}
        for i, keys in enumerate(asked):
            yield
            if not keys:
                index.open.append(i)
                continue
            rarest = keys[0] if len(keys) == 1 else min(keys, key=shared.__getitem__)
            if shared[rarest] == 1:
                index._put(rarest, (i,))
            else:
                crowded.setdefault(rarest, []).append(i)
        for key, places in crowded.items():
            yield
            index._put(key, tuple(places))
        return index

    def _put(self, key: Key, places: tuple[int, ...]) -> None:
        where, value = key
        self._buckets.setdefault(where, {})[value] = places

    def candidates(self, call: CallHeaders) -> Iterable[int]:
        """Return the places of all routes that may match, in order; whoever asks tries each of them."""
        found: list[Sequence[int]] = [self.open]
        for (header, member), by_value in self._buckets.items():
            value = call.get(header) if header else call.path
            if value is None:
                continue
            said = (value,) if member is None else set(values_of(member, value))
            found += [by_value[each] for each in said if each in by_value]
        if len(found) == 1:
            return found[0]
        if len(found) == 2 and len(self.open) <= _SMALL and len(found[1]) <= _SMALL:
            return sorted((*found[0], *found[1]))  # `merge` pays for being lazy
        return merge(*found)
