"""What the tables of HTTP requests are made of: routes, a request, and what becomes of it.

`proxyless.http` and a real Envoy get the same resources and send the same request to the same backends;
gRPC's client has no HTTP. Where ours means to differ, `envoy` says what Envoy does and `why` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from envoy.config.route.v3.route_components_pb2 import VirtualHost

from tests.parity.cases import REFUSED, Case

Pairs = tuple[tuple[str, str], ...]

BACKENDS: Final = ("h1", "h2")
"""Clusters of one HTTP backend each; `nowhere` has an endpoint that refuses, `partly` that one and h1."""


@dataclass(frozen=True)
class Answer:
    """What the caller sees, and what the backend that was asked last has received."""

    status: int = 200
    by: str = ""
    """The backend that was asked last, if any was."""
    requests: int = 0
    """How many came to any backend."""
    path: str | None = None
    """With its query, as received; None: as the caller sent it."""
    host: str | None = None
    """The authority, as received; None: as the caller sent it."""
    received: Pairs | None = None
    """Headers that begin with `k-`; None: as the caller sent them."""
    headers: Pairs | None = None
    """Of the answer: `location`, and those that begin with `k-`; None: what the backend says of itself."""
    body: str | None = None
    """Where no backend answers; None: not looked at."""
    error: str = ""
    """The exception that the caller gets in place of an answer."""


@dataclass(frozen=True)
class Request:
    """One row."""

    name: str
    routes: Sequence[Mapping[str, Any] | VirtualHost]
    """As a Case's."""
    expected: Answer | str
    """An answer, or REFUSED."""
    path: str = "/"
    method: str = "GET"
    headers: Pairs = ()
    body: bytes | None = None
    envoy: Answer | str | None = None
    """What Envoy does, where it is not what ours does."""
    why: str = ""
    """Why ours differs."""
    listener: str = ""
    """The target's name; empty: one of its own."""
    host: str = ""
    """The Host header that the caller sets; empty: none, so that it is the target's."""
    hcm: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the HttpConnectionManager."""

    @property
    def target(self) -> str:
        return f"xds:///{self.listener}"

    @property
    def origin(self) -> str:
        """The host of the URL, without the port where it is HTTP's own."""
        return self.listener.removesuffix(":80")

    @property
    def authority(self) -> str:
        """The Host header."""
        return self.host or self.origin

    @property
    def resources(self) -> list[Any]:
        """The listener and its routes, under this row's name."""
        return Case(self.name, self.routes, (), "", listener=self.listener, hcm=self.hcm).resources

    def whole(self, answer: Answer) -> Answer:
        """The answer with what it leaves to the request."""
        answered = () if answer.error or not answer.by else (("k-server", answer.by),)
        answer = replace(answer, headers=answered if answer.headers is None else answer.headers)
        if not answer.by:
            return answer
        named = ((name.lower(), value) for name, value in self.headers)
        sent = sorted((pair for pair in named if pair[0].startswith("k-")), key=lambda pair: pair[0])
        return replace(
            answer,
            path=self.path if answer.path is None else answer.path,
            host=self.authority if answer.host is None else answer.host,
            received=tuple(sent) if answer.received is None else answer.received,
        )


def by(name: str = "h1", requests: int = 1, **more: Any) -> Answer:
    """This backend answers."""
    return Answer(by=name, requests=requests, **more)


def here(status: int, *headers: tuple[str, str], **more: Any) -> Answer:
    """No backend is asked."""
    return Answer(status, headers=headers, **more)


def fails(error: str, **more: Any) -> Answer:
    """The caller gets an exception."""
    return Answer(0, error=error, **more)


def moved(to: str, status: int = 301, *more: tuple[str, str]) -> Answer:
    """Redirected there."""
    return here(status, *more, ("location", to))


def numbered(rows: Iterable[Request], stem: str) -> tuple[Request, ...]:
    """The rows, each with a listener name of its own."""
    return tuple(
        replace(each, listener=each.listener or f"{stem}-{i}.http:9080") for i, each in enumerate(rows)
    )


__all__ = ["BACKENDS", "REFUSED", "Answer", "Pairs", "Request", "by", "fails", "here", "moved", "numbered"]
