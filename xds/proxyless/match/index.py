"""Which routes of a table can match a call at all, found without trying them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from ..members import member_of, values_of
from ..resources import HeaderMatch, RouteMatch, StringMatch
from .headers import CallHeaders

_SMALL = 8
"""Routes up to which trying them all costs less than looking one up."""


class _Where(NamedTuple):
    """Where a call has to say something: a header, "" for its path; as a whole, or as a member of a list."""

    header: str
    member: str | None = None


class _Key(NamedTuple):
    """What it has to say there."""

    where: _Where
    value: str


class RouteIndex:
    """Routes by the rarest value that each insists on.

    That is an exact path, the exact value of a header, or the value of a member in a list; routes that
    insist on nothing of the kind are candidates for every call.
    """

    __slots__ = ("_buckets", "_open")

    def __init__(self, matches: Sequence[RouteMatch]) -> None:
        asked = [tuple(_keys(match)) if len(matches) > _SMALL else () for match in matches]
        shared = Counter(key for keys in asked for key in keys)
        self._open: list[int] = []
        self._buckets: dict[_Where, dict[str, list[int]]] = {}
        for i, keys in enumerate(asked):
            if not keys:
                self._open.append(i)
                continue
            rarest = min(keys, key=shared.__getitem__)
            self._buckets.setdefault(rarest.where, {}).setdefault(rarest.value, []).append(i)

    def candidates(self, call: CallHeaders) -> Iterable[int]:
        """Return the places of all routes that may match, in order; whoever asks tries each of them."""
        found = [self._open]
        for where, by_value in self._buckets.items():
            value = call.get(where.header) if where.header else call.path
            if value is None:
                continue
            said = (value,) if where.member is None else set(values_of(where.member, value))
            found += [by_value[each] for each in said if each in by_value]
        return found[0] if len(found) == 1 else merge(*found)


def _keys(match: RouteMatch) -> Iterator[_Key]:
    """The values that a call must have to match."""
    if match.path.how == "exact" and not match.path.ignore_case:
        yield _Key(_Where(""), match.path.value)
    for header in match.headers:
        key = _key_of(header)
        if key is not None:
            yield key


def _key_of(header: HeaderMatch) -> _Key | None:
    test = header.test
    if header.invert or header.treat_missing_as_empty or not isinstance(test, StringMatch):
        return None
    if test.how == "exact" and not test.ignore_case:
        return _Key(_Where(header.name), test.value)
    member = member_of(test.value) if test.how == "regex" else None
    return None if member is None else _Key(_Where(header.name, member.key), member.value)
