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

_ANY = "\0"


@dataclass(frozen=True, slots=True)
class Rule:
    """A route of a table: `wants` is the lane it asks for, whoever wrote it; `lane` is whose own it is.

    `strict` is whether it is the one that makes its lane strict.
    """

    name: str
    wants: str
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
    wants = _wanted(headers, key)
    lane, strict = _owner(name, wants)
    return Rule(
        name,
        wants,
        lane,
        strict,
        tuple(str(cluster.get("name")) for cluster in clusters),
        tuple(str(header.get("name")) for header in headers),
    )


def _wanted(headers: Iterable[Mapping[str, Any]], key: str) -> str:
    """The lane that matchers of the baggage ask for, as lanes write them; empty for none."""
    before, after = lane_regex(key, _ANY).split(_ANY)
    for header in headers:
        test = header.get("test")
        if header.get("name") != HEADER or header.get("invert") or not isinstance(test, dict):
            continue
        regex = str(test.get("value"))
        lane = regex.removeprefix(before).removesuffix(after)
        if f"{before}{lane}{after}" == regex and lane_name_fault(lane) is None:
            return lane
    return ""


def _owner(name: str, wants: str) -> tuple[str, bool]:
    """Whose rule it is by its name and what it wants of the baggage, as `lanes.own` tells of a route."""
    if wants and name in (f"{PREFIX}{wants}", f"{PREFIX}{wants}{STRICT}"):
        return wants, name != f"{PREFIX}{wants}"
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
