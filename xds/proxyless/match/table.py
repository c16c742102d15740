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
class _Compiled:
    route: Route
    path: StringTest
    headers: tuple[HeaderTest, ...]
    others: tuple[HeaderTest, ...]
    """Query parameters, and whether it is gRPC."""
    fraction: Fraction | None

    def matches(self, call: CallHeaders, draw: Draw) -> bool:
        return (
            self.path(call.path)
            and all(test(call) for test in self.headers)
            and (not self.others or all(test(call) for test in self.others))
            and (self.fraction is None or draw(self.fraction.denominator) < self.fraction.numerator)
        )


class RouteTable:
    """A virtual host's routes, ready to be asked."""

    __slots__ = ("_compiled", "_index", "virtual_host")

    def __init__(self, virtual_host: VirtualHost) -> None:
        self.virtual_host = virtual_host
        self._compiled = tuple(
            _Compiled(
                route,
                compile_path(route.match.path),
                tuple(compile_header(header) for header in route.match.headers),
                (
                    *(compile_query(query) for query in route.match.query),
                    *((is_grpc,) if route.match.grpc else ()),
                ),
                route.match.fraction,
            )
            for route in virtual_host.routes
        )
        self._index = RouteIndex([route.match for route in virtual_host.routes])

    def matches(self, call: CallHeaders, draw: Draw) -> Iterator[Route]:
        """Yield the routes that match, in order: the first is the one, the rest are for fallback."""
        for place in self._index.candidates(call):
            compiled = self._compiled[place]
            if compiled.matches(call, draw):
                yield compiled.route

    def explain(self, call: CallHeaders, draw: Draw) -> Iterator[Step]:
        """Yield every route in order, with why it does or does not match."""
        for compiled in self._compiled:
            reason = _why_not(compiled, call)
            if reason is None and compiled.matches(call, draw):
                yield Step(compiled.route, True, "matches")
            else:
                yield Step(compiled.route, False, reason or "outside its runtime_fraction this time")


def _why_not(compiled: _Compiled, call: CallHeaders) -> str | None:
    match = compiled.route.match
    if match.query and call.query is None:
        return why_not_query(match.query[0], call)
    if not compiled.path(call.path):
        return f"path {call.path!r} is not {match.path.how} {match.path.value!r}"
    for header, test in zip(match.headers, compiled.headers, strict=True):
        if not test(call):
            value = call.get(header.name)
            found = "it is missing" if value is None else f"it is {value!r}"
            return f"{describe_header(header)}: {found}"
    for query, test in zip(match.query, compiled.others, strict=False):  # behind them, whether it is gRPC
        if not test(call):
            return why_not_query(query, call)
    if match.grpc and not call.is_grpc:
        return "it is for gRPC calls only"
    return None
