"""Spans as the admin port of a service tells them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.grpc_codes import CODES
from lanes.context import BASE

_SERVER_ERROR = 500
# The year 5138, or as long: what is more is no time, and has no date.
_LONGEST = 1e11


class UnreadableError(Exception):
    """An answer that is not what an admin port says; the message names what is wrong with it."""


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A version of a service; the version is empty where nobody of it answered."""

    service: str
    version: str

    def to_json(self) -> dict[str, str]:
        """For JSON."""
        return {"service": self.service, "version": self.version}

    def __str__(self) -> str:
        return f"{self.service} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a call; `failed` is its code, empty where it did not fail or nobody told."""

    number: int
    route: str
    cluster: str
    endpoint: str
    after_ms: float
    failed: str = ""

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "number": self.number,
            "route": self.route,
            "cluster": self.cluster,
            "endpoint": self.endpoint,
            "after_ms": self.after_ms,
            "failed": self.failed,
        }


@dataclass(frozen=True, slots=True)
class Span:
    """A span and the process it is of; `start` in seconds since 1970."""

    trace_id: str
    span_id: str
    parent: str | None
    name: str
    kind: str
    start: float
    duration_ms: float
    failed: bool
    error: str
    attributes: Mapping[str, Any]
    attempts: tuple[Attempt, ...]
    place: Place
    instance: str

    @property
    def end(self) -> float:
        """In seconds since 1970."""
        return self.start + self.duration_ms / 1000

    @property
    def lane(self) -> str:
        """The lane it was made in, or `base`."""
        return self.text("lane") or BASE

    @property
    def code(self) -> str:
        """How it ended: gRPC's word or HTTP's number, empty where it does not say."""
        return _code_of(self.attributes)

    @property
    def is_call(self) -> bool:
        """Whether a client made it for a call or a request."""
        return self.kind == "CLIENT" and bool(self.text("rpc.service") or self.text("http.url"))

    def text(self, key: str) -> str:
        """An attribute that is text; empty where it is none."""
        value = self.attributes.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """An attribute that is a whole number; 0 where it is none."""
        value = self.attributes.get(key)
        return value if isinstance(value, int) else 0


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of `/spans`: who says it, in which run of the process, what to ask for next, the spans."""

    place: Place
    instance: str
    run: str
    next: int
    spans: tuple[Span, ...]


def read_spans(data: object) -> Told:
    """The answer of an admin port's `/spans`, parsed JSON; or UnreadableError."""
    answer = mapping(data, "the answer")
    place = Place(text(answer, "service"), text(answer, "version"))
    instance = text(answer, "instance")
    spans = answer.get("spans")
    if not isinstance(spans, list):
        raise UnreadableError("spans is no list")
    number = answer.get("next")
    if not isinstance(number, int) or number < 0:
        raise UnreadableError("next is no number")
    read = tuple(_span(mapping(each, "a span"), place, instance) for each in spans)
    return Told(place, instance, str(answer.get("run") or ""), number, read)


def _span(data: Mapping[str, Any], place: Place, instance: str) -> Span:
    attributes = mapping(data.get("attributes"), "attributes of a span")
    status = mapping(data.get("status"), "status of a span")
    parent = data.get("parent_span_id")
    code = _code_of(attributes)
    http = attributes.get("http.status_code")
    failed = (
        status.get("code") == "ERROR"
        or ("rpc.grpc.status_code" in attributes and code != "OK")
        or (isinstance(http, int) and http >= _SERVER_ERROR)
    )
    return Span(
        trace_id=text(data, "trace_id"),
        span_id=text(data, "span_id"),
        parent=parent if isinstance(parent, str) else None,
        name=text(data, "name"),
        kind=text(data, "kind"),
        start=_time(data, "start", 0),
        duration_ms=_time(data, "duration_ms"),
        failed=failed,
        error=str(status.get("description") or (code if failed else "")),
        attributes=attributes,
        attempts=_attempts(data.get("events"), attributes, code if failed else ""),
        place=place,
        instance=instance,
    )


def _attempts(events: object, attributes: Mapping[str, Any], code: str) -> tuple[Attempt, ...]:
    """The attempts that events tell; one tried again failed as its event says, the last as the call did.

    Of one that started with the span and was the only one the span's own attributes tell.
    """
    told: list[Attempt] = []
    failed: dict[int, str] = {}
    for event in events if isinstance(events, list) else ():
        said = mapping(mapping(event, "an event").get("attributes"), "attributes of an event")
        number = said.get("xds.attempt")
        if not isinstance(number, int):
            continue
        if event.get("name") == "xds.attempt":
            told.append(_attempt(number, said, _time(event, "after_ms")))
        elif event.get("name") == "xds.retry":
            status = said.get("grpc.status") or said.get("http.response.status_code")
            failed[number] = str(status or said.get("error.type") or "failed")
    only = attributes.get("xds.attempt")
    if not told and isinstance(only, int):
        told.append(_attempt(only, attributes, 0.0))
    if told:
        failed.setdefault(told[-1].number, code)
    return tuple(
        Attempt(a.number, a.route, a.cluster, a.endpoint, a.after_ms, failed.get(a.number, "")) for a in told
    )


def _attempt(number: int, said: Mapping[str, Any], after_ms: float) -> Attempt:
    route, cluster, endpoint = (str(said.get(f"xds.{key}", "")) for key in ("route", "cluster", "endpoint"))
    return Attempt(number, route, cluster, endpoint, after_ms)


def grpc_code(number: int) -> str:
    """gRPC's word for a status code."""
    return CODES[number] if 0 <= number < len(CODES) else str(number)


def _code_of(attributes: Mapping[str, Any]) -> str:
    grpc = attributes.get("rpc.grpc.status_code")
    if isinstance(grpc, int):
        return grpc_code(grpc)
    http = attributes.get("http.status_code")
    return str(http) if isinstance(http, int) else ""


def mapping(data: object, what: str) -> Mapping[str, Any]:
    """The same as a mapping; UnreadableError where it is none."""
    if not isinstance(data, dict):
        raise UnreadableError(f"{what} is no object")
    return data


def text(data: Mapping[str, Any], key: str) -> str:
    """A field that must be text; or UnreadableError."""
    value = data.get(key)
    if not isinstance(value, str):
        raise UnreadableError(f"{key} is no text")
    return value


def _time(data: Mapping[str, Any], key: str, least: float = -_LONGEST) -> float:
    """A time; what lasted may be negative, where a clock was set back meanwhile."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= _LONGEST:
        raise UnreadableError(f"{key} is no time")
    return float(value)
