"""Routing tables as clients hold them: which rule is whose lane's, and what rules look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.reading.calls import host_of_cluster
from console.reading.clients import Dump
from lanes.baggage import HEADER
from lanes.landscape import maps
from lanes.own import PREFIX, STRICT
from lanes.render import lane_regex
from lanes.spec import Lane, Mode, lane_name_fault


@dataclass(frozen=True, slots=True)
class Rule:
    """A route of a table; `lane` is whose it is, `strict` whether it is the one that makes a lane strict."""

    name: str
    lane: str
    strict: bool
    clusters: tuple[str, ...]
    headers: tuple[str, ...]


def rules_of(body: object, key: str) -> list[Rule]:
    """The rules of a routing table, as a dump has it."""
    hosts = maps(body.get("virtual_hosts")) if isinstance(body, dict) else []
    return [_rule(route, key) for host in hosts for route in maps(host.get("routes"))]


def _rule(route: Mapping[str, Any], key: str) -> Rule:
    match = route.get("match")
    headers = maps(match.get("headers")) if isinstance(match, dict) else []
    action = route.get("action")
    clusters = maps(action.get("clusters")) if isinstance(action, dict) else []
    name = str(route.get("name") or f"#{route.get('index')}")
    lane, strict = _owner(name, headers, key)
    return Rule(
        name,
        lane,
        strict,
        tuple(str(cluster.get("name")) for cluster in clusters),
        tuple(str(header.get("name")) for header in headers),
    )


def _owner(name: str, headers: Iterable[Mapping[str, Any]], key: str) -> tuple[str, bool]:
    """Whose rule it is by its name and what it wants of the baggage, as `lanes.own` tells of a route."""
    tests = [header.get("test") for header in headers if header.get("name") == HEADER]
    wanted = {test.get("value") for test in tests if isinstance(test, dict)}
    rest = name.removeprefix(PREFIX)
    for lane, strict in ((rest, False), (rest.removesuffix(STRICT), True)):
        if rest == name or (strict and lane == rest) or lane_name_fault(lane) is not None:
            continue
        if lane_regex(key, lane) in wanted:
            return lane, strict
    return "", False


def lanes_of(dumps: Iterable[tuple[Dump, str]]) -> tuple[Lane, ...]:
    """The lanes in what clients hold, each with its lane key, by name: for where the rules cannot be read."""
    versions: dict[str, dict[str, str]] = {}
    strict: set[str] = set()
    for rule in _all(dumps):
        held = versions.setdefault(rule.lane, {})
        if rule.strict:
            strict.add(rule.lane)
        elif rule.clusters:
            service = host_of_cluster(rule.clusters[0]).partition(".")[0]
            if subset := rule.clusters[0].split("|")[2].removeprefix(PREFIX) if service else "":
                held[service] = subset
    return tuple(
        Lane(name, held, Mode.STRICT if name in strict else Mode.PERMISSIVE)
        for name, held in sorted(versions.items())
    )


def _all(dumps: Iterable[tuple[Dump, str]]) -> Iterator[Rule]:
    for dump, key in dumps:
        for table in dump.of_type("RDS"):
            yield from (rule for rule in rules_of(table.body, key) if rule.lane)
