"""What each verb is asked with, read strictly: whatever is not understood is refused by name. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.grpc_codes import CODES
from lanes.context import BASE
from lanes.spec import Mode, lane_name_fault, version_fault

MAX_BYTES = 1 << 20
MAX_COUNT = 50
MAX_RATE = 50.0
MAX_DELAY_MS = 600_000
_MAX_NAME = 253
_MAX_USER = 64
_MAX_SHARE = 1000
ABORTS = CODES[1:]
"""The gRPC statuses with which a call can fail."""


class BodyError(Exception):
    """A body that is not as the verb wants it; the message is one sentence that names the field."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares in percent by version, which sum to 100."""

    service: str
    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Yaml:
    """Objects as a text of one or many documents."""

    yaml: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Which object goes."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class LaneCreate:
    """A lane and the version it has of each service."""

    name: str
    versions: Mapping[str, str]
    mode: Mode


@dataclass(frozen=True, slots=True)
class Named:
    """A lane or a process."""

    name: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose calls of a service: everybody's where `lane` is empty, `base` for those that base serves."""

    service: str
    lane: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A delay in milliseconds, an abort with a gRPC status, or both, each for a share of the calls."""

    scope: Scope
    delay_ms: int | None
    abort: str | None
    percent: float


@dataclass(frozen=True, slots=True)
class Send:
    """So many requests in a lane, as a user; either may be empty."""

    lane: str
    user: str
    count: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second, shared out over lanes; a rate of 0 ends it."""

    rate: float
    lanes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Undo:
    """Which action."""

    id: str


Body = Weights | Yaml | Delete | LaneCreate | Named | Scope | Fault | Send | Traffic | Undo


def parse(content: bytes) -> Mapping[str, Any]:
    """The JSON object in a body; BodyError for anything else."""
    try:
        found = json.loads(content.decode("utf-8"), parse_constant=_constant, object_pairs_hook=_object)
        # A lone surrogate is JSON, and no text.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise BodyError("The body nests too deeply.") from None
    except ValueError as error:
        raise BodyError(f"The body is not JSON: {str(error)[:200]}.") from None
    if not isinstance(found, dict):
        raise BodyError("The body is not a JSON object.")
    return found


def read(verb: str, data: Mapping[str, Any]) -> Body:
    """What a verb is asked with; KeyError for an unknown verb, BodyError for a field that is amiss."""
    reader = READERS[verb]
    fields = _Fields(data)
    body = reader(fields)
    fields.close()
    return body


class _Fields:
    """The fields of a body, each taken once; those that nobody took are unknown."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._left = dict(data)

    def close(self) -> None:
        if self._left:
            raise BodyError(f"There is no field {min(self._left)[:80]!r}.")

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise BodyError(f"The field {name!r} is missing.")
        return self._left.pop(name)

    def text(self, name: str, longest: int = _MAX_NAME, *, empty: bool = False) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise BodyError(f"{name} is not a text.")
        if not value and not empty:
            raise BodyError(f"{name} is empty.")
        if len(value) > longest:
            raise BodyError(f"{name} has {len(value)} characters, {longest} are the most.")
        return value

    def line(self, name: str, longest: int = _MAX_NAME, *, empty: bool = False) -> str:
        value = self.text(name, longest, empty=empty)
        if not value.isprintable():
            raise BodyError(f"{name} holds characters that cannot be printed.")
        return value

    def lane(self, name: str, *others: str) -> str:
        value = self.line(name, empty=True)
        if value not in others and (fault := lane_name_fault(value)):
            raise BodyError(f"{name} {value[:80]!r} {fault}.")
        return value

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in known:
            raise BodyError(f"{name} {value[:80]!r} is none of {', '.join(known)}.")
        return value

    def whole(self, name: str, least: int, most: int) -> int:
        return _whole(name, self._take(name), least, most)

    def number(self, name: str, least: float, most: float) -> float:
        return _number(name, self._take(name), least, most)

    def is_null(self, name: str) -> bool:
        """Whether a field that may be null is so, or is left out."""
        if self._left.get(name) is not None:
            return False
        self._left.pop(name, None)
        return True

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._take(name)
        if not isinstance(value, dict):
            raise BodyError(f"{name} is not an object.")
        return value


def _weights(fields: _Fields) -> Weights:
    service, given = fields.line("service"), fields.mapping("weights")
    found = {}
    for version, weight in given.items():
        if fault := version_fault(version):
            raise BodyError(f"weights: the version {version[:80]!r} {fault}.")
        found[version] = _whole(f"weights.{version}", weight, 0, 100)
    if (total := sum(found.values())) != 100:
        raise BodyError(f"weights sum to {total}, not 100.")
    return Weights(service, found)


def _yaml(fields: _Fields) -> Yaml:
    return Yaml(fields.text("yaml", MAX_BYTES))


def _delete(fields: _Fields) -> Delete:
    return Delete(fields.line("kind"), fields.line("namespace"), fields.line("name"))


def _lane_create(fields: _Fields) -> LaneCreate:
    name, given = fields.lane("name"), fields.mapping("versions")
    if not given:
        raise BodyError("versions names no service.")
    for service, version in given.items():
        if not isinstance(version, str):
            raise BodyError(f"versions.{service[:80]} is not a text.")
        if fault := version_fault(version):
            raise BodyError(f"versions.{service[:80]} {version[:80]!r} {fault}.")
    mode = Mode.PERMISSIVE if fields.is_null("mode") else Mode(fields.one_of("mode", tuple(map(str, Mode))))
    return LaneCreate(name, given, mode)


def _lane(fields: _Fields) -> Named:
    return Named(fields.lane("name"))


def _process(fields: _Fields) -> Named:
    return Named(fields.line("name"))


def _scope(fields: _Fields) -> Scope:
    return Scope(fields.line("service"), fields.lane("lane", "", BASE))


def _fault(fields: _Fields) -> Fault:
    scope = _scope(fields)
    delay = None if fields.is_null("delay_ms") else fields.whole("delay_ms", 1, MAX_DELAY_MS)
    abort = None if fields.is_null("abort") else fields.one_of("abort", ABORTS)
    if delay is None and abort is None:
        raise BodyError("Neither delay_ms nor abort says what is to happen.")
    percent = fields.number("percent", 0, 100)
    return Fault(scope, delay, abort, percent)


def _send(fields: _Fields) -> Send:
    lane = "" if fields.is_null("lane") else fields.lane("lane", "", BASE)
    user = "" if fields.is_null("user") else fields.line("user", _MAX_USER, empty=True).strip()
    return Send(lane, user, fields.whole("count", 1, MAX_COUNT))


def _traffic(fields: _Fields) -> Traffic:
    rate = fields.number("rate", 0, MAX_RATE)
    given = {} if fields.is_null("lanes") else fields.mapping("lanes")
    found = {}
    for lane, share in given.items():
        if lane != BASE and (fault := lane_name_fault(lane)):
            raise BodyError(f"lanes: the lane name {lane[:80]!r} {fault}.")
        found[lane] = _number(f"lanes.{lane}", share, 0, _MAX_SHARE)
    if rate and not any(found.values()):
        raise BodyError("lanes gives no lane a share.")
    return Traffic(rate, found)


def _undo(fields: _Fields) -> Undo:
    return Undo(fields.line("id"))


READERS: Mapping[str, Callable[[_Fields], Body]] = {
    "weights": _weights,
    "validate": _yaml,
    "apply": _yaml,
    "delete": _delete,
    "lane-create": _lane_create,
    "lane-delete": _lane,
    "kill": _process,
    "start": _process,
    "fault": _fault,
    "clear-fault": _scope,
    "send": _send,
    "traffic": _traffic,
    "undo": _undo,
}
"""The verbs, and how each is read."""


def _whole(name: str, value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BodyError(f"{name} is not a whole number.")
    return int(_number(name, value, least, most))


def _number(name: str, value: object, least: float, most: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise BodyError(f"{name} is not a number.")
    if not least <= value <= most or math.isnan(value):
        raise BodyError(f"{name} is not within {least:g} to {most:g}.")
    return value


def _constant(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given twice")
    return found
