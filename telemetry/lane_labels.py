"""Lanes as labels of metrics: as many as the routes know, however many a caller makes up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


class KnownLanes:
    """The lanes in the routing tables of one client, read anew where a table is another one."""

    def __init__(self, key: str, routes: Routes = tuple) -> None:
        self.key = key
        self.routes = routes
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
        return lane if lane in self._all else OTHER

    def _refresh(self) -> None:
        self._stale = False
        read: dict[str, tuple[RouteConfig, frozenset[str]]] = {}
        for config in self.routes():
            known = self._read.get(config.name)
            if known is None or known[0] is not config:
                known = (config, lanes_of(config, self.key))
            read[config.name] = known
        self._read = read
        self._all = frozenset(lane for _, lanes in read.values() for lane in lanes)
