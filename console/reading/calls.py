"""Calls out of spans: who called whom, in which lane, and what came of it. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from console.reading.spans import Place, Span

VISITOR = Place("", "")
"""Whoever is outside."""
_TARGET = re.compile(r"xds:///([^\s:/]+)")


@dataclass(frozen=True, slots=True)
class Directory:
    """Which version of a service listens where, by `ip:port`, and which service serves which RPCs."""

    listeners: Mapping[str, Place] = field(default_factory=dict)
    rpcs: Mapping[str, str] = field(default_factory=dict)

    def at(self, endpoint: str) -> Place | None:
        """Who listens there; with its own address alone where nobody is known by the port as well."""
        return self.listeners.get(endpoint) or self.listeners.get(endpoint.rpartition(":")[0])

    def service_asked(self, span: Span) -> str:
        """The service a call was for, whoever answered it."""
        if span.attempts and (host := host_of_cluster(span.attempts[-1].cluster)):
            return _first_label(host)
        if found := _TARGET.search(span.error):
            return _first_label(found[1])
        if url := span.text("http.url"):
            return _first_label(host_of_url(url))
        rpc = span.text("rpc.service")
        return self.rpcs.get(rpc, rpc)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its caller's span and the one of whoever served it last, as far as they are known."""

    caller: Place
    callee: Place
    asked: Span | None
    served: Span | None

    @property
    def span(self) -> Span:
        """The side that tells of lane, time and outcome: the caller's, where there is one."""
        found = self.asked or self.served
        assert found is not None, "a call is known by a span"
        return found

    @property
    def route(self) -> str:
        """The rule it was sent by; empty where it was sent by none."""
        return self.asked.attempts[-1].route if self.asked and self.asked.attempts else ""


def calls_of(spans: Iterable[Span], directory: Directory, door: str) -> list[Call]:
    """The calls that these spans tell of; a request from outside is a call of the visitor to the door."""
    spans = list(spans)
    known = {(span.trace_id, span.span_id) for span in spans}
    servers: dict[tuple[str, str | None], list[Span]] = defaultdict(list)
    for span in spans:
        if span.kind == "SERVER":
            servers[span.trace_id, span.parent].append(span)
    found: list[Call] = []
    for span in spans:
        if span.is_call:
            found.append(call_of(span, servers.get((span.trace_id, span.span_id), ()), directory))
        elif is_request(span, door) and (span.trace_id, span.parent) not in known:
            found.append(Call(VISITOR, span.place, None, span))
    return found


def call_of(asked: Span, served: Iterable[Span], directory: Directory) -> Call:
    """The call of a client's span; `served` are the spans that servers made of it, copies for mirrors too."""
    endpoint = asked.attempts[-1].endpoint if asked.attempts else ""
    there = directory.at(endpoint)
    servers = sorted(served, key=lambda span: span.start)
    # A mirror's span has the same parent, so who was sent to counts before who came last.
    answered = [span for span in servers if there is None or span.place == there] or servers
    if answered:
        return Call(asked.place, answered[-1].place, asked, answered[-1])
    service = directory.service_asked(asked)
    if asked.failed or not asked.attempts:
        return Call(asked.place, Place(service, ""), asked, None)
    return Call(asked.place, there or Place(service, _subset(asked.attempts[-1].cluster)), asked, None)


def rpcs_of(spans: Iterable[Span]) -> dict[str, str]:
    """Which service serves which RPCs, as the spans of servers tell."""
    return {
        rpc: span.place.service
        for span in spans
        if span.kind == "SERVER" and (rpc := span.text("rpc.service"))
    }


def is_request(span: Span, door: str) -> bool:
    """Whether a span is the door's own of a request from outside."""
    return span.kind == "SERVER" and span.place.service == door and "http.method" in span.attributes


def host_of_cluster(cluster: str) -> str:
    """The host in Istio's name of a cluster, `outbound|9080|v2|reviews.default.svc.cluster.local`."""
    parts = cluster.split("|")
    return parts[3] if len(parts) == 4 else ""


def port_of_cluster(cluster: str) -> str:
    """The port in Istio's name of a cluster."""
    parts = cluster.split("|")
    return parts[1] if len(parts) == 4 else ""


def _subset(cluster: str) -> str:
    parts = cluster.split("|")
    return parts[2].removeprefix("lane-") if len(parts) == 4 else ""


def host_of_url(url: str) -> str:
    """The host of a URL; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _first_label(host: str) -> str:
    return host.partition(".")[0]
