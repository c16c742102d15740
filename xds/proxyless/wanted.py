"""What keeps a call from a route that somebody wants it to take, and a call that would take it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from .drafts import Draft, RequestDraft
from .errors import UnknownRouteError
from .match import (
    CallHeaders,
    RouteTable,
    Rule,
    compile_header,
    compile_query,
    describe_header,
    describe_query,
    found,
    found_parameter,
)
from .match.examples import header_examples, path_examples
from .resources import ClusterAction, HeaderMatch, QueryMatch, RouteMatch
from .routing import describe

_VERBS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
"""Methods worth trying before any that are made up."""


class Wanted(Struct, frozen=True):
    """A route that somebody wants a call to take."""

    name: str
    index: int
    unmet: tuple[str, ...]
    """What of it the call does not fit."""
    before: tuple[str, ...]
    """The routes before it that fit the call, and what of each would have to fail."""
    call: Draft | None
    """A call that takes it: this one where it does, else one as much like it as could be found."""
    share: float
    """How many such calls take it, in percent: fractions are drawn."""
    obstacle: str = ""
    """Why no such call was found."""


def find(table: RouteTable, wanted: str) -> list[Rule]:
    """The rules by the name of their route, or the one at `#INDEX`; raises UnknownRouteError."""
    rules = [
        rule for rule in table.rules if wanted in (f"#{rule.route.index}", rule.route.name) and wanted != ""
    ]
    if not rules:
        names = dict.fromkeys(f"{rule.route.name} (#{rule.route.index})".lstrip() for rule in table.rules)
        raise UnknownRouteError(
            f"virtual host {table.virtual_host.name!r} has no route {wanted!r}; it has {', '.join(names)}"
        )
    return rules


def advise(table: RouteTable, rule: Rule, call: Draft, *, fallback: bool = False) -> Wanted:
    """Say what has to change for the call to take this rule's route.

    With `fallback`, a route whose clusters cannot serve a call leaves it to those behind it.
    """
    before = table.rules[: table.rules.index(rule)]
    headers = call.headers
    search = _Search(rule, before, fallback)
    draft, obstacle = search.run(call)
    return Wanted(
        rule.route.name,
        rule.route.index,
        tuple(rule.unmet(headers)),
        tuple(_taking(each, headers, fallback) for each in before if _ever(each) and each.fits(headers)),
        draft,
        0.0 if draft is None else search.share(draft),
        obstacle,
    )


def _ever(rule: Rule) -> bool:
    """Whether its fraction leaves it any calls."""
    fraction = rule.route.match.fraction
    return fraction is None or fraction.numerator > 0


def _always(rule: Rule) -> bool:
    """Whether its fraction leaves it all calls."""
    fraction = rule.route.match.fraction
    return fraction is None or fraction.numerator >= fraction.denominator


def _share(rule: Rule) -> float:
    fraction = rule.route.match.fraction
    return 1.0 if fraction is None else min(1.0, fraction.numerator / fraction.denominator)


def _taking(rule: Rule, call: CallHeaders, fallback: bool) -> str:
    match = rule.route.match
    conditions = [f"{describe_header(header)} ({found(call, header.name)})" for header in match.headers]
    conditions += [f"{describe_query(query)} ({found_parameter(call, query.name)})" for query in match.query]
    if match.path.how == "exact" or match.path.value.strip("/"):
        conditions.insert(0, f"path {match.path.how} {match.path.value!r}")
    share = "" if _always(rule) else f" {100 * _share(rule):g} % of such calls"
    must = f"to fail: {' or '.join(conditions)}" if conditions else "it fits every call"
    return (
        f"route {describe(rule.route)} comes first and takes{share or ' it'}{_unless(rule, fallback)}; {must}"
    )


def _unless(rule: Rule, fallback: bool) -> str:
    passed_over = fallback and isinstance(rule.route.action, ClusterAction)
    return ", unless none of its clusters can serve it" if passed_over else ""


class _Search(Struct):
    """Changes a call until the rule takes it; every value is tried before it is believed."""

    rule: Rule
    before: tuple[Rule, ...]
    fallback: bool

    def run(self, call: Draft) -> tuple[Draft | None, str]:
        """A call that the rule takes, or why none was found."""
        match = self.rule.route.match
        if match.query and not isinstance(call, RequestDraft):
            return None, "it asks for query parameters, which a gRPC call never has"
        if match.grpc and not call.headers.is_grpc:
            return None, "it is for gRPC calls only"
        if not _ever(self.rule):
            return None, "its runtime_fraction is 0"
        draft = call
        if not self.rule.path(draft.path):
            path = next((each for each in path_examples(match.path) if self.rule.path(each)), None)
            if path is None:
                return None, f"no path could be made up that is {match.path.how} {match.path.value!r}"
            draft = replace(draft, path=path)
        for name in dict.fromkeys(header.name for header in match.headers):
            asked = self._on(draft, name)
            met = _all_of(compile_header(header) for header in asked)
            if met(draft):
                continue
            found = next((each for each in _changes(draft, name, asked) if met(each)), None)
            if found is None:
                what = " and ".join(describe_header(header) for header in asked)
                return None, f"{draft.why_fixed(name) or 'no value could be made up for it'}: {what}"
            draft = found
        for name in dict.fromkeys(query.name for query in match.query):
            asks = _all_of(compile_query(query) for query in self._for(name))
            if asks(draft):
                continue
            found = next((each for each in _queries(draft, name, self._for(name)) if asks(each)), None)
            if found is None:
                what = " and ".join(describe_query(query) for query in self._for(name))
                return None, f"no value could be made up for it: {what}"
            draft = found
        if not self.rule.fits(draft.headers):
            return None, "nothing could be made up that is all it asks for: one of it undoes another"
        return self._past_those_before(draft)

    def share(self, draft: Draft) -> float:
        """How many percent of such calls take the rule."""
        share, headers = _share(self.rule), draft.headers
        for rule in self.before:
            if rule.fits(headers):
                share *= 1 - _share(rule)
        return 100 * share

    def _past_those_before(self, draft: Draft) -> tuple[Draft | None, str]:
        """Have every rule before it fail, which changes nothing of what it wants itself."""
        passed: list[Rule] = []
        headers = draft.headers
        for rule in self.before:
            if _ever(rule):
                passed.append(rule)
                if rule.fits(headers):
                    other = self._around(draft, passed)
                    if other is not None:
                        draft, headers = other, other.headers
                    elif _always(rule):
                        takes = f"route {describe(rule.route)} comes first and takes every such call"
                        return None, takes + _unless(rule, self.fallback)
                    else:
                        passed.pop()  # it leaves some of the calls
        return draft, ""

    def _around(self, draft: Draft, rules: Sequence[Rule]) -> Draft | None:
        """The call changed so that the last of the rules fails, and those before it still do."""
        last = rules[-1].route.match
        for change in self._ways(draft, last):
            headers = change.headers
            if self.rule.fits(headers) and not any(rule.fits(headers) for rule in rules):
                return change
        return None

    def _ways(self, draft: Draft, last: RouteMatch) -> Iterator[Draft]:
        for header in last.headers:
            yield from _changes(draft, header.name, [*self._on(draft, header.name), header])
        for query in last.query:
            yield from _queries(draft, query.name, [*self._for(query.name), query])
        for path in path_examples(self.rule.route.match.path):
            yield replace(draft, path=path)

    def _on(self, draft: Draft, name: str) -> list[HeaderMatch]:
        names = draft.names_of(name)
        return [header for header in self.rule.route.match.headers if header.name in names]

    def _for(self, name: str) -> list[QueryMatch]:
        return [query for query in self.rule.route.match.query if query.name == name]


def _all_of(tests: Iterable[Callable[[CallHeaders], bool]]) -> Callable[[Draft], bool]:
    every = tuple(tests)

    def met(draft: Draft) -> bool:
        headers = draft.headers
        return all(test(headers) for test in every)

    return met


def _changes(draft: Draft, name: str, matches: Sequence[HeaderMatch]) -> Iterator[Draft]:
    """The call with another value under this name, as far as it can have it."""
    if draft.why_fixed(name):
        return
    values = header_examples(matches, draft.headers.get(name))
    for value in chain(_VERBS, values) if name == ":method" else values:
        if draft.admits(name, value):
            yield draft.setting(name, value)


def _queries(draft: Draft, name: str, matches: Sequence[QueryMatch]) -> Iterator[Draft]:
    """The request with another value of this query parameter."""
    if not isinstance(draft, RequestDraft):
        return
    query = draft.headers.query or {}
    for value in header_examples([HeaderMatch(name, match.test) for match in matches], query.get(name)):
        if draft.admits_parameter(name, value):
            yield draft.asking(name, value)
