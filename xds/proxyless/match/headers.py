"""A call's or request's headers as matchers see them, and header matchers (gRFC A28, A41, A63)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

import re2

from ..resources import HeaderMatch, PresentMatch, RangeMatch
from .strings import compile_string

MetadataItem: TypeAlias = tuple[str, str | bytes]


class CallHeaders:
    """What a call offers to the matchers: its path, authority and metadata.

    Values of a repeated key join with `,`; keys ending in `-bin` are absent; `content-type` is always
    `application/grpc` (gRFC A28).
    """

    __slots__ = ("get", "path")

    get: Callable[[str], str | None]
    """Returns the value matched under a name (lower case); None where there is none."""

    is_grpc = True
    query: Mapping[str, str] | None = None
    """The first value of each query parameter; None for a gRPC call, which never has any."""

    def __init__(self, path: str, authority: str, metadata: Iterable[MetadataItem] = ()) -> None:
        self.path = path
        fields: dict[str, str] = {}
        for raw_key, raw in metadata:
            key = raw_key.lower()
            if key.endswith("-bin"):
                continue
            value = raw.decode("latin-1") if isinstance(raw, bytes) else raw
            fields[key] = f"{fields[key]},{value}" if key in fields else value
        fields["content-type"] = "application/grpc"
        fields[":path"] = path
        fields[":authority"] = authority
        fields[":method"] = "POST"
        fields[":scheme"] = "http"
        self.get = fields.get


class RequestHeaders(CallHeaders):
    """What an HTTP request offers to the matchers; `target` is its path with the query, if it has one.

    Paths are matched without query and fragment, `:path` with them, and query parameters are not unescaped,
    as in Envoy. Values of a repeated header join with `,`. Its content type decides whether it is gRPC.
    """

    __slots__ = ("is_grpc", "query")

    def __init__(
        self,
        method: str,
        target: str,
        authority: str,
        headers: Iterable[MetadataItem] = (),
        scheme: str = "http",
    ) -> None:
        self.path = _END_OF_PATH.split(target, maxsplit=1)[0]
        fields: dict[str, str] = {}
        for raw_key, raw in headers:
            key = raw_key.lower()
            value = raw.decode("latin-1") if isinstance(raw, bytes) else raw
            fields[key] = f"{fields[key]},{value}" if key in fields else value
        fields[":path"] = target
        fields[":authority"] = authority
        fields[":method"] = method
        fields[":scheme"] = scheme
        self.get = fields.get
        self.query = _first_values(target)
        self.is_grpc = _GRPC.fullmatch(fields.get("content-type", "")) is not None


_END_OF_PATH = re.compile("[?#]")
_GRPC = re.compile(r"application/grpc(\+.*)?")


def _first_values(target: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in target.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        values.setdefault(name, value)
    return values


class Fields(Protocol):
    """Headers by their names in lower case."""

    def get(self, name: str, /) -> str | None:
        """Return the value of a header; None where there is none."""


FieldTest: TypeAlias = Callable[[Fields], bool]
HeaderTest: TypeAlias = Callable[[CallHeaders], bool]

_INTEGER = re2.compile(r" *([+-]?)0*([0-9]{1,19}) *")
"""A number of 64 bits; blanks around it and zeros before it are allowed, as in gRPC and Envoy."""


def compile_header(match: HeaderMatch) -> FieldTest:
    """Compile a HeaderMatch.

    A missing header fails every test of its value, inverted or not, unless
    `treat_missing_header_as_empty`; presence is `(has == wanted) != invert`.
    """
    name, invert = match.name, match.invert
    if isinstance(match.test, PresentMatch):
        wanted = match.test.present
        return lambda headers: ((headers.get(name) is not None) == wanted) != invert
    test = _compile_range(match.test) if isinstance(match.test, RangeMatch) else compile_string(match.test)
    missing = (test("") != invert) if match.treat_missing_as_empty else False

    def matches(headers: Fields) -> bool:
        value = headers.get(name)
        return missing if value is None else test(value) != invert

    return matches


def _compile_range(match: RangeMatch) -> Callable[[str], bool]:
    start, end = match.start, match.end

    def inside(value: str) -> bool:
        number = _INTEGER.fullmatch(value)
        return number is not None and start <= int(number[1] + number[2]) < end

    return inside


def describe_header(match: HeaderMatch) -> str:
    """Say what a HeaderMatch asks for, in one line."""
    test = match.test
    if isinstance(test, PresentMatch):
        return f"header {match.name!r} {'present' if test.present != match.invert else 'absent'}"
    word = "not " if match.invert else ""
    if isinstance(test, RangeMatch):
        return f"header {match.name!r} {word}in [{test.start}, {test.end})"
    return f"header {match.name!r} {word}{test.how} {test.value!r}"
