"""The routes of one virtual host, compiled: which match a call, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct

from ..resources import Action, ClusterAction, Fraction, Route, VirtualHost
from ..steps import Steps, finish
from .headers import CallHeaders, HeaderTest, compile_header, describe_header
from .index import Key, RouteIndex, keys_of
from .paths import compile_path
from .queries import compile_query, is_grpc, why_not_query
from .strings import StringTest

Draw: TypeAlias = Callable[[int], int]
"""Draw(n) gives a random integer in [0, n); injected, so that decisions repeat."""


class Step(Struct, frozen=True):
    """One route tried for one call: whether it matched, and if not, the first thing that failed."""

    route: Route
    matched: bool
    reason: str


class _Tests(Struct, frozen=True):
    """What a call is put to, compiled."""

    path: StringTest
    headers: tuple[HeaderTest, ...]
    others: tuple[HeaderTest, ...]
    """Query parameters, and whether it is gRPC."""


class Rule:
    """A route, compiled when it is first tried."""

    __slots__ = ("_tests", "route")

    def __init__(self, route: Route, tests: _Tests | None = None) -> None:
        self.route = route
        self._tests = tests

    def of(self, route: Route) -> Rule:
        """The rule of a route with the same match."""
        return self if route is self.route else Rule(route, self._tests)

    def compile(self) -> _Tests:
        """Compile it, if that has not been done."""
        if self._tests is None:
            match = self.route.match
            queries = (compile_query(query) for query in match.query)
            self._tests = _Tests(
                compile_path(match.path),
                tuple(compile_header(header) for header in match.headers),
                (*queries, is_grpc) if match.grpc else tuple(queries),
            )
        return self._tests

    @property
    def path(self) -> StringTest:
        """The test of a call's path."""
        return self.compile().path

    @property
    def fraction(self) -> Fraction | None:
        """The share of the calls that fit which it takes; None for all."""
        return self.route.match.fraction

    def fits(self, call: CallHeaders) -> bool:
        """Whether all but its fraction, which is drawn, fits the call."""
        tests = self._tests or self.compile()
        if not tests.path(call.path):
            return False
        for test in tests.headers:  # no `all`: of thousands of regexes each is asked here
            if not test(call):
                return False
        return not tests.others or all(test(call) for test in tests.others)

    def matches(self, call: CallHeaders, draw: Draw) -> bool:
        """Whether it takes the call."""
        fraction = self.fraction
        return self.fits(call) and (fraction is None or draw(fraction.denominator) < fraction.numerator)

    def unmet(self, call: CallHeaders) -> Iterator[str]:
        """Yield what of it the call does not fit, with what the call has instead."""
        match, tests = self.route.match, self.compile()
        if match.query and call.query is None:
            yield why_not_query(match.query[0], call)
        if not tests.path(call.path):
            yield f"path {call.path!r} is not {match.path.how} {match.path.value!r}"
        for header, test in zip(match.headers, tests.headers, strict=True):
            if not test(call):
                yield f"{describe_header(header)}: {found(call, header.name)}"
        if call.query is not None:
            # Behind them stands whether it is gRPC.
            for query, test in zip(match.query, tests.others, strict=False):
                if not test(call):
                    yield why_not_query(query, call)
        if match.grpc and not call.is_grpc:
            yield "it is for gRPC calls only"


def found(call: CallHeaders, name: str) -> str:
    """What a call has under a name, in words."""
    value = call.get(name)
    return "it is missing" if value is None else f"it is {value!r}"


def _clusters_of(action: Action) -> Iterator[str]:
    if isinstance(action, ClusterAction):
        yield from (each.name for each in action.clusters if each.weight)
        yield from (mirror.cluster for mirror in action.mirrors)


class RouteTable:
    """A virtual host's routes, ready to be asked."""

    __slots__ = ("_index", "_keys", "_rules", "clusters", "names", "virtual_host")
    virtual_host: VirtualHost

    def __init__(self, virtual_host: VirtualHost) -> None:
        finish(self._build(virtual_host, None))

    @classmethod
    def building(cls, virtual_host: VirtualHost, before: RouteTable | None = None) -> Steps[RouteTable]:
        """Make a table in steps; what it has in common with the one `before` it is taken over."""
        table = cls.__new__(cls)
        yield from table._build(virtual_host, before)
        return table

    def _build(self, virtual_host: VirtualHost, before: RouteTable | None) -> Steps[None]:
        known: dict[int, int] = {}
        for place, route in enumerate(before.virtual_host.routes if before is not None else ()):
            yield
            known[id(route.match)] = place
        self.virtual_host = virtual_host
        self._keys: list[tuple[Key, ...]] = []
        self._rules: list[Rule | None] = []
        names: set[str] = set()
        actions: dict[int, Action] = {}
        for route in virtual_host.routes:
            yield
            place = known.get(id(route.match), -1)
            if before is None or place < 0:
                self._keys.append(keys_of(route.match))
                self._rules.append(None)
            else:
                rule = before._rules[place]
                self._keys.append(before._keys[place])
                self._rules.append(rule and rule.of(route))
            for header in route.match.headers:
                names.add(header.name)
            actions[id(route.action)] = route.action
        self.names = frozenset(names)
        """The headers that any route looks at: calls alike in these and in their path match alike."""
        self.clusters = tuple(dict.fromkeys(name for each in actions.values() for name in _clusters_of(each)))
        """The clusters that its routes name."""
        self._index = yield from RouteIndex.building(self._keys)
        for place in self._index.open:  # The next call tries them all.
            yield
            self._rule(place).compile()

    def _rule(self, place: int) -> Rule:
        """The rule in a place, made when it is first looked at: most lanes of thousands never are."""
        rule = self._rules[place]
        if rule is None:
            rule = self._rules[place] = Rule(self.virtual_host.routes[place])
        return rule

    def emptying(self) -> Steps[None]:
        """Let go of what it has compiled, in steps: freeing thousands of regexes at once takes long.

        Whoever still asks it has what is needed compiled anew.
        """
        for place, rule in enumerate(self._rules):
            if rule is not None:
                yield
                self._rules[place] = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all its routes, in order."""
        return tuple(self._rule(place) for place in range(len(self._rules)))

    def matches(self, call: CallHeaders, draw: Draw) -> Iterator[Route]:
        """Yield the routes that match, in order: the first is the one, the rest are for fallback."""
        for place in self._index.candidates(call):
            rule = self._rules[place] or self._rule(place)
            if rule.matches(call, draw):
                yield rule.route

    def matches_from(self, first: Route, call: CallHeaders, draw: Draw) -> Iterator[Route]:
        """Yield the route that is known to match first, and after it those that `matches` would."""
        yield first
        for place in self._index.candidates(call):
            if place > first.index and (rule := self._rule(place)).matches(call, draw):
                yield rule.route

    def sure(self, call: CallHeaders) -> Route | None:
        """The first route that matches, where all calls alike take it: None where a draw has a say, too."""
        for place in self._index.candidates(call):
            rule = self._rules[place] or self._rule(place)
            if rule.fits(call):
                return rule.route if rule.fraction is None else None
        return None

    def explain(self, call: CallHeaders, draw: Draw) -> Iterator[Step]:
        """Yield every route in order, with why it does or does not match."""
        for rule in self.rules:
            reason = next(rule.unmet(call), None)
            if reason is None and rule.matches(call, draw):
                yield Step(rule.route, True, "matches")
            else:
                yield Step(rule.route, False, reason or "outside its runtime_fraction this time")
