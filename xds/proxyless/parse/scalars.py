"""Small pieces several resources share: durations, fractions, regexes, config sources, `Any`."""

from __future__ import annotations

from typing import Any

import re2
from google.protobuf.message import DecodeError
from xds.type.v3.typed_struct_pb2 import TypedStruct

from ..errors import ResourceError
from ..members import member_of
from ..resources import Fraction
from .support import Notes, check_fields

_DENOMINATORS = {0: 100, 1: 10_000, 2: 1_000_000}

_QUIET = re2.Options()
_QUIET.log_errors = False
_LARGEST_REGEX = 32_768
"""Instructions a regex may compile to: what Istio allows its sidecars (re2.max_program_size.error_level)."""


_LONGEST = 1e9
"""Seconds, 31 years. A deadline ten times as far is past for gRPC, whose clock has 63 bits of nanoseconds."""


def duration(message: Any, where: str) -> float:
    """Return a google.protobuf.Duration in seconds, at most 10⁹.

    Raises ResourceError outside the range the type allows.
    """
    seconds, nanos = message.seconds, message.nanos
    if not 0 <= seconds <= 315_576_000_000:
        raise ResourceError(f"{where}.seconds", f"{seconds} is not in [0, 315576000000]")
    if not 0 <= nanos <= 999_999_999:
        raise ResourceError(f"{where}.nanos", f"{nanos} is not in [0, 999999999]")
    return min(float(seconds + nanos / 1e9), _LONGEST)


def fraction(message: Any, where: str) -> Fraction:
    """Return an envoy.type.v3.FractionalPercent."""
    denominator = _DENOMINATORS.get(message.denominator)
    if denominator is None:
        raise ResourceError(f"{where}.denominator", f"{message.denominator} is not a known denominator")
    return Fraction(message.numerator, denominator)


def regex(message: Any, where: str) -> str:
    """Return the pattern of an envoy.type.matcher.v3.RegexMatcher, known to compile within bounds."""
    pattern: str = message.regex
    if not pattern:
        raise ResourceError(f"{where}.regex", "is empty")
    try:
        size = 0 if member_of(pattern) else re2.compile(pattern, _QUIET).programsize
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ResourceError(f"{where}.regex", f"{pattern!r} is not a valid RE2 pattern: {text}") from None
    if size > _LARGEST_REGEX:
        raise ResourceError(f"{where}.regex", f"compiles to {size} instructions, above {_LARGEST_REGEX}")
    return pattern


def from_ads(source: Any, where: str, notes: Notes) -> None:
    """Check that a ConfigSource is this stream (`ads` or `self`, gRFC A27)."""
    check_fields(source, where, notes)
    if source.WhichOneof("config_source_specifier") not in ("ads", "self"):
        raise ResourceError(where, "must be `ads` or `self`: resources come over this stream only")


def unpack(packed: Any, into: type[Any], where: str) -> Any:
    """Decode a google.protobuf.Any whose `type_name` is that of `into`.

    Raises ResourceError for one that only names it: a TypedStruct holds JSON, not the message's bytes.
    """
    if _is_typed_struct(packed):
        raise ResourceError(where, f"a TypedStruct is not read as {into.DESCRIPTOR.full_name}")
    return _decode(packed, into, where)


def type_name(packed: Any, where: str) -> str:
    """Return the message name in an Any, looking through a TypedStruct."""
    if _is_typed_struct(packed):
        return _last(_decode(packed, TypedStruct, where).type_url)
    return _last(packed.type_url)


def _is_typed_struct(packed: Any) -> bool:
    return _last(packed.type_url) in ("xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct")


def _last(type_url: str) -> str:
    return type_url.rpartition("/")[2]


def _decode(packed: Any, into: type[Any], where: str) -> Any:
    message = into()
    try:
        message.ParseFromString(packed.value)
    except DecodeError as error:
        raise ResourceError(where, f"cannot be decoded as {into.DESCRIPTOR.full_name}: {error}") from None
    return message
