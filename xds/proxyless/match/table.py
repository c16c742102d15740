"""The routes of one virtual host, compiled: which match a call, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ..resources import Fraction, Route, VirtualHost
from .headers import CallHeaders, HeaderTest, compile_header, describe_header
from .index import RouteIndex
from .paths import compile_path
from .queries import compile_query, is_grpc, why_not_query
from .strings import StringTest

Draw: TypeAlias = Callable[[int], int]
"""Draw(n) gives a random integer in [0, n); injected, so that decisions repeat."""


@dataclass(frozen=True, slots=True)
class Step:
    """One route tried for one call: whether it matched, and if not, the first thing that failed."""

    route: Route
    matched: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A route, compiled."""

    route: Route
    path: StringTest
    headers: tuple[HeaderTest, ...]
    others: tuple[HeaderTest, ...]
    """Query parameters, and whether it is gRPC."""
    fraction: Fraction | None

    @classmethod
    def of(cls, route: Route) -> Rule:
        """Compile a route."""
        match = route.match
        return cls(
            route,
            compile_path(match.path),
            tuple(compile_header(header) for header in match.headers),
            (*(compile_query(query) for query in match.query), *((is_grpc,) if match.grpc else ())),
            match.fraction,
        )

    def fits(self, call: CallHeaders) -> bool:
        """Whether all but its fraction, which is drawn, fits the call."""
        return (
            self.path(call.path)
            and all(test(call) for test in self.headers)
            and (not self.others or all(test(call) for test in self.others))
        )

    def matches(self, call: CallHeaders, draw: Draw) -> bool:
        """Whether it takes the call."""
        fraction = self.fraction
        return self.fits(call) and (fraction is None or draw(fraction.denominator) < fraction.numerator)

    def unmet(self, call: CallHeaders) -> Iterator[str]:
        """Yield what of it the call does not fit, with what the call has instead."""
        match = self.route.match
        if match.query and call.query is None:
            yield why_not_query(match.query[0], call)
        if not self.path(call.path):
            yield f"path {call.path!r} is not {match.path.how} {match.path.value!r}"
        for header, test in zip(match.headers, self.headers, strict=True):
            if not test(call):
                yield f"{describe_header(header)}: {found(call, header.name)}"
        if call.query is not None:
            for query, test in zip(match.query, self.others, strict=False):  # behind them, whether it is gRPC
                if not test(call):
                    yield why_not_query(query, call)
        if match.grpc and not call.is_grpc:
            yield "it is for gRPC calls only"


def found(call: CallHeaders, name: str) -> str:
    """What a call has under a name, in words."""
    value = call.get(name)
    return "it is missing" if value is None else f"it is {value!r}"


class RouteTable:
    """A virtual host's routes, ready to be asked."""

    __slots__ = ("_index", "names", "rules", "virtual_host")

    def __init__(self, virtual_host: VirtualHost) -> None:
        self.virtual_host = virtual_host
        self.rules = tuple(Rule.of(route) for route in virtual_host.routes)
        self._index = RouteIndex([route.match for route in virtual_host.routes])
        self.names = frozenset(header.name for route in virtual_host.routes for header in route.match.headers)
        """The headers that any route looks at: calls alike in these and in their path match alike."""

    def matches(self, call: CallHeaders, draw: Draw) -> Iterator[Route]:
        """Yield the routes that match, in order: the first is the one, the rest are for fallback."""
        for place in self._index.candidates(call):
            rule = self.rules[place]
            if rule.matches(call, draw):
                yield rule.route

    def sure(self, call: CallHeaders) -> Route | None:
        """The first route that matches, where all calls alike take it: None where a draw has a say, too."""
        for place in self._index.candidates(call):
            rule = self.rules[place]
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
