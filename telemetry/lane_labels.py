"""Lanes as labels of metrics: as many as the routes know, or a few, however many a caller makes up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from proxyless.members import member_of, values_of
from proxyless.resources import Route, RouteConfig, StringMatch

BAGGAGE = "baggage"
BASE = "base"
OTHER = "other"
"""The label of every lane that no route knows."""

Routes = Callable[[], Iterable[RouteConfig]]


def lanes_of(config: RouteConfig, key: str) -> frozenset[str]:
    """The lanes that a routing table has rules for."""
    routes = (route for host in config.virtual_hosts for route in host.routes)
    return frozenset(lane for route in routes for lane in lanes_named(route, key))


def lanes_named(route: Route, key: str) -> Iterator[str]:
    """The lanes a route is for: the values that its matchers of `baggage` want of the key."""
    for header in route.match.headers:
        test = header.test
        if header.name != BAGGAGE or header.invert or not isinstance(test, StringMatch):
            continue
        if test.how == "exact":  # a rule by hand, for requests that carry nothing beside their lane
            yield from islice(values_of(key, test.value), 1)
        elif test.how == "regex" and (member := member_of(test.value)) is not None and member.key == key:
            yield member.value


@dataclass(frozen=True, slots=True)
class Labelled:
    """Lanes that are labels whatever routes say: those `named` always, and the first `most` that come by.

    The latter are for who holds no routes and can tell none from what a caller made up; who comes later is
    `other`, so that what is named is what an attacker cannot displace.
    """

    named: frozenset[str] = frozenset()
    most: int = 0
    valid: Callable[[str], bool] = lambda lane: True


_UNTOLD = Labelled()


class KnownLanes:
    """The lanes in the routing tables of one client, read anew where a table is another one.

    `routes` None is a process that holds none.
    """

    def __init__(self, key: str, routes: Routes | None = None, labelled: Labelled = _UNTOLD) -> None:
        self.key = key
        self.routes = routes
        self._labelled = labelled
        self._seen: set[str] = set()
        self._read: dict[str, tuple[RouteConfig, frozenset[str]]] = {}
        self._all: frozenset[str] = frozenset()
        self._stale = True

    def changed(self) -> None:
        """Routes have changed; they are looked at when next asked for."""
        self._stale = True

    def by_table(self) -> dict[str, frozenset[str]]:
        """The lanes of each routing table, by its name."""
        self._refresh()
        return {name: lanes for name, (_, lanes) in self._read.items()}

    def label(self, lane: str | None) -> str:
        """The lane as a label: itself where a route knows it, `base`, or `other`."""
        if lane is None or lane == BASE:
            return BASE
        if self._stale:
            self._refresh()
        if lane in self._all or lane in self._labelled.named or self._is_early(lane):
            return lane
        return OTHER

    def _is_early(self, lane: str) -> bool:
        """Whether it is one of the first that came by, where no routes say which there are."""
        if self.routes is not None:
            return False
        if lane not in self._seen and len(self._seen) < self._labelled.most and self._labelled.valid(lane):
            self._seen.add(lane)
        return lane in self._seen

    def _refresh(self) -> None:
        self._stale = False
        read: dict[str, tuple[RouteConfig, frozenset[str]]] = {}
        for config in self.routes() if self.routes is not None else ():
            known = self._read.get(config.name)
            if known is None or known[0] is not config:
                known = (config, lanes_of(config, self.key))
            read[config.name] = known
        self._read = read
        self._all = frozenset(lane for _, lanes in read.values() for lane in lanes)
