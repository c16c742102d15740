"""What the admin port is asked, read out of requests. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from multidict import MultiMapping
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import format_trace_id

from serving.settings import log_level
from telemetry.store import LIMIT
from telemetry.xds_metrics import LANE

_LONGEST_WAIT = 30.0
_METADATA_KEY = re.compile(r"[a-z0-9_.-]+")
_VERB = re.compile(r"[A-Z]{1,16}")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is told to other machines, where the admin port listens on an address that they can reach."""

# What an Istio sidecar calls from whatever comes from outside: a loopback address, and nobody in the Pod.
_SIDECAR = ipaddress.ip_address("127.0.0.6")


class BadRequestError(Exception):
    """A request that cannot be answered; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Explain:
    """A call or an HTTP request whose way is to be explained; `timeout` in seconds."""

    target: str
    method: str
    metadata: tuple[tuple[str, str], ...]
    timeout: float
    want_route: str | None

    @classmethod
    def read(cls, query: MultiMapping[str]) -> Explain:
        """From `target=…&method=…&metadata=k=v`, metadata as often as wanted; or BadRequestError.

        Where the target is the `http://` URL of a request, the method is its own.
        """
        _only(query, "target", "method", "metadata", "timeout", "want_route")
        method = _one(query, "method")
        target = _one(query, "target")
        if target.startswith("http://"):
            if not _VERB.fullmatch(method):
                raise BadRequestError(f"method={method!r} is no method of an HTTP request.")
        elif method.strip("/").count("/") != 1 or any(not c.isprintable() or c.isspace() for c in method):
            raise BadRequestError(f"method={method!r} is not /package.Service/Method.")
        return cls(
            target=target,
            method=method,
            metadata=tuple(_pair(each) for each in query.getall("metadata", [])),
            timeout=_seconds(query.get("timeout", "5")),
            want_route=query.get("want_route") or None,
        )


@dataclass(frozen=True, slots=True)
class Spans:
    """Which spans are asked for: the last `limit` of those that fit."""

    since: int
    limit: int
    trace_id: str | None
    lane: str | None

    @classmethod
    def read(cls, query: MultiMapping[str]) -> Spans:
        """From `since=…&limit=…&trace_id=…&lane=…`, each of which may be missing; or BadRequestError."""
        _only(query, "since", "limit", "trace_id", "lane")
        trace_id = query.get("trace_id")
        if trace_id is not None and not _TRACE_ID.fullmatch(trace_id):
            raise BadRequestError(f"trace_id={trace_id!r} is not 32 digits of lower-case hex.")
        return cls(
            since=_number(query, "since", 0),
            limit=_number(query, "limit", LIMIT) or LIMIT,
            trace_id=trace_id,
            lane=query.get("lane"),
        )

    def fits(self, span: ReadableSpan) -> bool:
        """Whether a span is of the trace and the lane asked for."""
        if self.lane is not None and (span.attributes or {}).get(LANE) != self.lane:
            return False
        context = span.get_span_context()
        return self.trace_id is None or (
            context is not None and format_trace_id(context.trace_id) == self.trace_id
        )


def level(query: MultiMapping[str], body: str) -> str:
    """The log level in `?level=` or in the body, plain or as `{"level": …}`; BadRequestError says why not."""
    _only(query, "level")
    text = query.get("level") or _level_of(body)
    try:
        return log_level(text)
    except ValueError as error:
        raise BadRequestError(f"level={text!r} {error}.") from None


def _level_of(body: str) -> str:
    text = body.strip()
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text).get("level")
    except ValueError:
        raise BadRequestError("the body is neither a level nor JSON.") from None
    return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for what: `peer` is the address of the connection's other end, `path` that of the route."""

    method: str
    path: str
    peer: str | None
    headers: Mapping[str, str]

    @property
    def reads(self) -> bool:
        """Whether nothing is to be changed."""
        return self.method in ("GET", "HEAD")


def refused(asker: Asker, *, readable: bool) -> str | None:
    """Why a request is not answered; None where it is.

    Whoever is on this machine, or in this Pod, may do everything. Others may ask what a kubelet and a
    Prometheus ask and, where it is `readable`, everything else that changes nothing.
    """
    if _is_here(asker.peer):
        return _foreign(asker)
    if not asker.reads:
        return f"{asker.method} is for loopback addresses, not for {asker.peer}."
    if asker.path in OPEN:
        return None
    if not readable:
        return f"{asker.path} is for loopback addresses, not for {asker.peer}, unless ADMIN_READABLE is set."
    host = asker.headers.get("Host", "")
    if _address_in(host) or _name_in(host) == "localhost":
        return None
    return f"Host {host!r} is not an address or localhost."


def _foreign(asker: Asker) -> str | None:
    """Why a request is not one that somebody on this machine meant to make; None where it may be.

    A name that leads here is no proof (DNS rebinding), and a page from elsewhere may send a form here.
    """
    host = asker.headers.get("Host", "")
    address = _address_in(host)
    if not (address and address.is_loopback) and _name_in(host) != "localhost":
        return f"Host {host!r} is not a loopback address or localhost."
    origin = asker.headers.get("Origin")
    if not asker.reads and origin not in (None, f"http://{host}"):
        return f"{asker.method} from the origin {origin!r} is not allowed."
    return None


def _is_here(peer: str | None) -> bool:
    address = _address(peer or "")
    return address is not None and address.is_loopback and address != _SIDECAR


def _address_in(host: str) -> _Address | None:
    return _address(_name_in(host) or "")


def _name_in(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _only(query: MultiMapping[str], *names: str) -> None:
    if unknown := sorted(set(query) - set(names)):
        raise BadRequestError(f"{unknown[0]!r} is none of the parameters {', '.join(names)}.")


def _one(query: MultiMapping[str], name: str) -> str:
    values = query.getall(name, [])
    if len(values) != 1 or not values[0]:
        raise BadRequestError(f"the parameter {name} is needed, once.")
    return values[0]


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    key = key.strip().lower()
    if not equals or not _METADATA_KEY.fullmatch(key):
        raise BadRequestError(f"metadata={text!r} is not key=value.")
    if key.endswith("-bin"):
        raise BadRequestError(f"metadata={text!r}: binary metadata is absent for matching.")
    return key, value


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _LONGEST_WAIT:
        raise BadRequestError(f"timeout={text!r} is not within 0 and {_LONGEST_WAIT:g} seconds.")
    return number


def _number(query: MultiMapping[str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequestError(f"{name}={text!r} is not a number.")
    return int(text)
