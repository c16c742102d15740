"""Why a call went where it went: the question for its client's `/explain`, and the answer compared. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from console.reading.calls import host_of_cluster, port_of_cluster
from console.reading.clients import Changes, Dump
from console.reading.faulted import Ended, ended_by, seems_ended
from console.reading.spans import Span
from lanes.baggage import HEADER, format_member
from lanes.context import BASE, END_USER

_TARGET = re.compile(r"xds:///[^\s:/]+(?::\d+)?")
# As the door puts a name into a header: ASCII as it is, all else (and `%`) percent-encoded.
_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


@dataclass(frozen=True, slots=True)
class Question:
    """A call as its client is asked about it."""

    client: str
    target: str
    method: str
    metadata: tuple[tuple[str, str], ...]

    def query(self) -> list[tuple[str, str]]:
        """The parameters of `/explain`."""
        pairs = [("metadata", f"{key}={value}") for key, value in self.metadata]
        return [("target", self.target), ("method", self.method), *pairs]


@dataclass(frozen=True, slots=True)
class Then:
    """What the span of a call says of its routing; all empty where it was sent nowhere.

    `ended` says by what its rule ended it before a cluster was picked.
    """

    route: str
    cluster: str
    endpoint: str
    attempts: int
    ended: Ended = ""

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "route": self.route,
            "cluster": self.cluster,
            "endpoint": self.endpoint,
            "attempts": self.attempts,
            "ended": self.ended,
        }


def question(span: Span, service: str, user: str, key: str, targets: Iterable[str]) -> Question | None:
    """The question about a call of a service; None where its client has no target it can be of."""
    if not span.is_call:
        return None
    target = target_of(span, service, targets)
    if target is None:
        return None
    path = f"/{span.text('rpc.service')}/{span.text('rpc.method')}"
    asked = span.text("http.method") if target.startswith("http://") else path
    metadata: list[tuple[str, str]] = []
    if span.lane != BASE:
        metadata.append((HEADER, format_member(key, span.lane)))
    if user:
        metadata.append((END_USER, quote(user, safe=_PLAIN)))
    return Question(span.instance, target, asked, tuple(metadata))


def target_of(span: Span, service: str, targets: Iterable[str]) -> str | None:
    """The target a call was made to, among those its client has; of an HTTP request its URL."""
    known = sorted(targets)
    if url := span.text("http.url"):
        return url if span.attempts or any(_authority(url) == _authority(each) for each in known) else None
    if (found := _TARGET.search(span.error)) and found[0] in known:
        return found[0]
    if span.attempts:
        host, port = host_of_cluster(span.attempts[-1].cluster), port_of_cluster(span.attempts[-1].cluster)
        for name in (f"{host}:{port}", host, f"{host.partition('.')[0]}:{port}"):
            if host and f"xds:///{name}" in known:
                return f"xds:///{name}"
    of_service = [each for each in known if _authority(each).partition(":")[0].partition(".")[0] == service]
    return of_service[0] if len(of_service) == 1 else None


def _authority(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        return f"{parts.hostname}:{parts.port or 80}" if parts.scheme == "http" else parts.path.strip("/")
    except ValueError:
        return uri


def then_of(span: Span) -> Then:
    """What was recorded when the call was made; of one that a rule ended, the rule that its error names."""
    if span.attempts:
        last = span.attempts[-1]
        return Then(last.route, last.cluster, last.endpoint, last.number)
    route, ended = ended_by(span)
    return Then(route, "", "", 0, ended)


def completed(then: Then, span: Span, decision: Mapping[str, Any]) -> Then:
    """With the rule of now, where what it does to calls is what befell one whose error names no rule."""
    if then.cluster or then.route:
        return then
    ended = seems_ended(span, decision.get("fault") or {})
    return replace(then, route=route_of(decision), ended=ended) if ended else then


def route_of(decision: Mapping[str, Any]) -> str:
    """The rule of a decision as spans name it; empty where none took the call."""
    route = decision.get("route")
    if not isinstance(route, dict):
        return ""
    return str(route.get("name") or f"#{route.get('index')}")


def same(then: Then, decision: Mapping[str, Any]) -> bool:
    """Whether the call could go the same way now: the same rule, and a draw that can come out the same."""
    fault = decision.get("fault") or {}
    fails = decision.get("error") is not None or "abort" in fault
    if route_of(decision) != then.route and (then.route or not fails):
        return False
    if then.ended == "delay":
        return "delay" in fault
    if not then.cluster:
        return fails
    clusters = decision.get("clusters") or {}
    if not clusters.get(then.cluster) and then.cluster != decision.get("serving"):
        return False
    endpoints = decision.get("endpoints") or []
    # Another draw leads to another cluster, whose endpoints say nothing of this one's.
    return then.cluster != decision.get("cluster") or not endpoints or then.endpoint in endpoints


def changed_since(
    dump: Dump, changes: Changes, decision: Mapping[str, Any], then: Then, start: float
) -> bool | None:
    """Whether what decides over this call has changed at its client since it was made; None if unknown."""
    if not changes.known_at(dump.name, start):
        return None
    clusters = {then.cluster, *(decision.get("clusters") or {})}
    wanted = {("LDS", decision.get("listener")), ("RDS", decision.get("route_config"))}
    wanted |= {(kind, cluster) for kind in ("CDS", "EDS") for cluster in clusters}
    found = {
        changes.changed_after(dump.name, each.type, each.name, start)
        for each in dump.resources
        if (each.type, each.name) in wanted
    }
    return True if True in found else None if None in found else False
