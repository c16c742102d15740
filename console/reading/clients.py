"""What is in force at each client: its config dump, and since when each resource is as it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.reading.spans import UnreadableError, mapping, text
from mesh.report import pod_of

_TYPES = ("LDS", "RDS", "CDS", "EDS")
_ABSENT = "DOES_NOT_EXIST"
_SILENT = re.compile(r": (UNAVAILABLE|DEADLINE_EXCEEDED): ")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as a client holds it."""

    type: str
    name: str
    version: str
    state: str
    error: str
    unsupported: tuple[str, ...]
    body: object


@dataclass(frozen=True, slots=True)
class Dump:
    """The config dump of a client; `targets` are the URIs of its channels.

    `lacking` are the clusters that can serve nobody, and why.
    """

    name: str
    server: str
    error: str
    resources: tuple[Resource, ...]
    targets: tuple[str, ...]
    lacking: Mapping[str, str] = field(default_factory=dict)

    def of_type(self, kind: str) -> Iterator[Resource]:
        """The resources of a type, `RDS`."""
        return (each for each in self.resources if each.type == kind)

    def find(self, kind: str, name: str) -> Resource | None:
        """The resource of this type and name."""
        return next((each for each in self.of_type(kind) if each.name == name), None)


def read_dump(data: object) -> Dump:
    """The answer of an admin port's `/config_dump`, parsed JSON; or UnreadableError."""
    answer = mapping(data, "the answer")
    server = mapping(answer.get("server"), "server")
    types = mapping(answer.get("resources"), "resources")
    order = [*(kind for kind in _TYPES if kind in types), *sorted(set(types) - {*_TYPES})]
    found: list[Resource] = []
    for kind in order:
        held = mapping(mapping(types[kind], kind).get("resources"), f"resources of {kind}")
        found += [_resource(kind, name, mapping(each, name)) for name, each in held.items()]
    targets = mapping(answer.get("targets"), "targets")
    return Dump(
        name=pod_of(text(mapping(answer.get("node"), "node"), "id")),
        server=text(server, "address"),
        error=str(server.get("error") or ""),
        resources=tuple(found),
        targets=tuple(targets),
        lacking=dict(_lacking(targets)),
    )


def _lacking(targets: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for uri, target in targets.items():
        clusters = mapping(target, uri).get("clusters") or {}
        for name, cluster in mapping(clusters, f"clusters of {uri}").items():
            said = mapping(cluster, name)
            if said.get("status") == "unusable":
                yield name, str(said.get("reason") or "")


def _resource(kind: str, name: str, data: Mapping[str, Any]) -> Resource:
    unsupported = data.get("unsupported") or []
    if not isinstance(unsupported, list):
        raise UnreadableError(f"unsupported of {name} is no list")
    return Resource(
        kind,
        name,
        version=str(data.get("version") or ""),
        state=text(data, "state"),
        error=str(data.get("error") or ""),
        unsupported=tuple(map(str, unsupported)),
        body=data.get("resource"),
    )


@dataclass(frozen=True, slots=True)
class _Since:
    """A change that happened after one look and was seen by the next."""

    before: float
    seen: float


class Changes:
    """When each resource of each client became what it is, as far as that happened under our eyes."""

    def __init__(self) -> None:
        self._held: dict[str, dict[tuple[str, str], tuple[Resource, _Since | None]]] = {}
        self._begun: dict[str, float] = {}
        self._looked: dict[str, float] = {}

    def look(self, dump: Dump, now: float) -> None:
        """Compare with the last dump of the same client; of a first one nothing is known."""
        self._begun.setdefault(dump.name, now)
        before, looked = self._held.get(dump.name), self._looked.get(dump.name)
        self._looked[dump.name] = now
        after: dict[tuple[str, str], tuple[Resource, _Since | None]] = {}
        for resource in dump.resources:
            key = resource.type, resource.name
            known = before.get(key) if before is not None else None
            if looked is None:
                since = None
            elif known is not None and _same(known[0], resource):
                since = known[1]
            else:
                since = _Since(looked, now)
            after[key] = resource, since
        self._held[dump.name] = after

    def since(self, client: str, kind: str, name: str) -> float | None:
        """Since when, in seconds since 1970; None where that was not seen."""
        found = self._since(client, kind, name)
        return found.seen if found is not None else None

    def changed_after(self, client: str, kind: str, name: str, moment: float) -> bool | None:
        """Whether it has changed since; None for a moment between the look that saw it and the one before."""
        found = self._since(client, kind, name)
        if found is None or found.seen <= moment:
            return False
        return True if moment < found.before else None

    def _since(self, client: str, kind: str, name: str) -> _Since | None:
        found = self._held.get(client, {}).get((kind, name))
        return found[1] if found is not None else None

    def known_at(self, client: str, moment: float) -> bool:
        """Whether the client was looked at by then already."""
        return self._begun.get(client, float("inf")) <= moment

    def forget(self, clients: Iterable[str]) -> None:
        """Keep these clients only."""
        kept = set(clients)
        self._held = {name: held for name, held in self._held.items() if name in kept}
        self._begun = {name: begun for name, begun in self._begun.items() if name in kept}
        self._looked = {name: looked for name, looked in self._looked.items() if name in kept}


def _same(one: Resource, other: Resource) -> bool:
    """Whether nothing has changed; a new version number with the same body is no change of the rules."""
    return (one.state, one.error, one.body) == (other.state, other.error, other.body)


def resource_json(resource: Resource, since: float | None) -> dict[str, Any]:
    """A resource as the list of rules shows it; what is not there was not refused, and `absent` says why."""
    absent = resource.state == _ABSENT
    return {
        "type": resource.type,
        "name": resource.name,
        "version": resource.version,
        "state": resource.state,
        "error": "" if absent else resource.error,
        "absent": (resource.error or "the control plane has none of this name") if absent else "",
        "changed": since,
        "unsupported": list(resource.unsupported),
    }


def client_json(dump: Dump, changes: Changes, unreachable: str) -> dict[str, Any]:
    """A client with all it holds; one that is out of reach holds what it held when last asked.

    `error` is a sentence for a person, `error_detail` the whole of what was said.
    """
    return {
        "name": dump.name,
        "connected": not (unreachable or dump.error),
        "server": dump.server,
        "error": unreachable or _stream_error(dump),
        "error_detail": unreachable or dump.error,
        "counts": _counts(dump.resources),
        "resources": [
            resource_json(each, changes.since(dump.name, each.type, each.name)) for each in dump.resources
        ],
    }


def _stream_error(dump: Dump) -> str:
    """What it means that the stream of the control plane has ended; empty where it has not."""
    if not dump.error:
        return ""
    silent = _SILENT.search(dump.error) and "handshake" not in dump.error.lower()
    what = "does not answer" if silent else "cannot be used"
    held = any(each.state == "ACKED" for each in dump.resources)
    return f"the control plane {what}; {'the last rules stay in force' if held else 'there are no rules yet'}"


def _counts(resources: Iterable[Resource]) -> dict[str, int]:
    """How many are in force, refused, not there, waited for, and kept back by the control plane."""
    words = {"ACKED": "acked", "NACKED": "refused", _ABSENT: "absent", "REQUESTED": "waiting"}
    found = dict.fromkeys([*words.values(), "failed"], 0)
    for each in resources:
        found[words.get(each.state, "failed")] += 1
    return found
