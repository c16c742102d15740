"""Mutation of protobuf messages by their structure, into the messages that stand in an Any as well.

It is given its randomness, so that Hypothesis and atheris drive one and the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from proxyless.parse.support import SUPPORTED

from .values import KNOWN, PAYLOADS, scalar

_DEEPEST = 6
_ANY = "google.protobuf.Any"
_TYPED_STRUCT = "type.googleapis.com/xds.type.v3.TypedStruct"

Place: TypeAlias = tuple[Any, str]
"""A message, and the last word of the name of the one it stands in."""


def mutate(message: Any, rng: Random) -> None:
    """Change the message in one to four places."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        _change(message, type(message).DESCRIPTOR.name, rng)


def grow(message: Any, owner: str, rng: Random, depth: int = 0) -> None:
    """Fill a few fields of an empty message, mostly such as the library knows."""
    if message.DESCRIPTOR.full_name == _ANY:
        _pack(message, owner, rng, depth)
        return
    fields = list(message.DESCRIPTOR.fields)
    known = SUPPORTED.get(message.DESCRIPTOR.full_name, frozenset())
    favoured = [field for field in fields if field.name in known]
    for _ in range(rng.randrange(1, 5)):
        pool = favoured if favoured and rng.randrange(8) else fields
        if pool:
            _set(message, rng.choice(pool), rng, depth)


def _change(message: Any, owner: str, rng: Random) -> None:
    """Go to a message within this one, and change it; what stands in an Any is packed again."""
    if message.DESCRIPTOR.full_name == _ANY:
        _change_any(message, owner, rng)
        return
    below = [place for place in _below(message) if place[0].DESCRIPTOR.full_name not in _DULL]
    if below and rng.randrange(5):
        _change(*rng.choice(below), rng)
        return
    fields = list(message.DESCRIPTOR.fields)
    if fields:
        rng.choice(_WAYS)(message, fields, rng)


_DULL = {"google.protobuf.Struct", "google.protobuf.Value", "envoy.config.core.v3.Metadata"}


def _below(message: Any) -> Iterator[Place]:
    name = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if not field.is_repeated:
            yield value, name
        elif not _is_map(field):
            yield from ((each, name) for each in value)
        elif field.message_type.fields_by_name["value"].message_type is not None:
            yield from ((value[key], field.message_type.name) for key in sorted(value))


def _is_map(field: Any) -> bool:
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


# --- ways to change a message -----------------------------------------------------------------------------


def _set_any_field(message: Any, fields: list[Any], rng: Random) -> None:
    known = SUPPORTED.get(message.DESCRIPTOR.full_name, frozenset())
    favoured = [field for field in fields if field.name in known]
    _set(message, rng.choice(favoured if favoured and rng.randrange(4) else fields), rng, _DEEPEST - 3)


def _change_a_present_field(message: Any, fields: list[Any], rng: Random) -> None:
    present = [field for field, _ in message.ListFields()]
    if present:
        _set(message, rng.choice(present), rng, _DEEPEST - 2)


def _clear(message: Any, fields: list[Any], rng: Random) -> None:
    present = [field for field, _ in message.ListFields()]
    if present:
        message.ClearField(rng.choice(present).name)


def _repeat(message: Any, fields: list[Any], rng: Random) -> None:
    """Say one element of a list twice, or many times."""
    lists = [field for field, _ in message.ListFields() if field.is_repeated and not _is_map(field)]
    if lists:
        values = getattr(message, rng.choice(lists).name)
        values.extend([values[rng.randrange(len(values))]] * rng.choice((1, 1, 1, 2, 30)))


def _shuffle(message: Any, fields: list[Any], rng: Random) -> None:
    lists = [field for field, _ in message.ListFields() if field.is_repeated and not _is_map(field)]
    if lists:
        values = getattr(message, rng.choice(lists).name)
        kept = list(values)
        rng.shuffle(kept)
        del values[:]
        values.extend(kept[: rng.randrange(len(kept)) + 1])


def _add_unknown(message: Any, fields: list[Any], rng: Random) -> None:
    """A field number that nobody knows, as a control plane of a later version would send it."""
    message.MergeFromString(rng.choice((b"\xca\x3e\x01x", b"\xc8\x3e\x05", b"\xfa\xff\xff\xff\x0f\x00")))


_WAYS: tuple[Callable[[Any, list[Any], Random], None], ...] = (
    _set_any_field,
    _set_any_field,
    _set_any_field,
    _change_a_present_field,
    _change_a_present_field,
    _change_a_present_field,
    _clear,
    _repeat,
    _shuffle,
    _add_unknown,
)


def _set(message: Any, field: Any, rng: Random, depth: int) -> None:
    if field.message_type is None:
        value = scalar(field, rng)
        if not field.is_repeated:
            setattr(message, field.name, value)
            return
        values = getattr(message, field.name)
        if len(values) and rng.randrange(2):
            values[rng.randrange(len(values))] = value
        else:
            values.append(value)
        return
    if _is_map(field):
        _set_map(message, field, rng, depth)
        return
    held = getattr(message, field.name)
    made = held.add() if field.is_repeated else held
    if not field.is_repeated:
        made.SetInParent()
    if depth < _DEEPEST and field.message_type.full_name not in _DULL:
        grow(made, message.DESCRIPTOR.name, rng, depth + 1)


def _set_map(message: Any, field: Any, rng: Random, depth: int) -> None:
    values, entry = getattr(message, field.name), field.message_type
    key = scalar(entry.fields_by_name["key"], rng)
    value = entry.fields_by_name["value"]
    if value.message_type is None:
        values[key] = scalar(value, rng)
    elif depth < _DEEPEST:
        grow(values[key], entry.name, rng, depth + 1)
    else:
        values[key].SetInParent()


# --- what stands in an Any --------------------------------------------------------------------------------


def _pack(packed: Any, owner: str, rng: Random, depth: int) -> None:
    inner = rng.choice(PAYLOADS.get(owner, tuple(KNOWN.values())))()
    if depth < _DEEPEST:
        grow(inner, inner.DESCRIPTOR.name, rng, depth + 1)
    packed.Pack(inner)


def _change_any(packed: Any, owner: str, rng: Random) -> None:
    way = rng.randrange(12)
    made = KNOWN.get(packed.type_url.rpartition("/")[2])
    if way == 0:
        packed.value = rng.randbytes(rng.randrange(9))
    elif way == 1:
        packed.type_url = rng.choice(
            ("", "/", "x", _TYPED_STRUCT, "type.googleapis.com/" + rng.choice(list(KNOWN)))
        )
    elif way == 2 or made is None:
        _pack(packed, owner, rng, _DEEPEST - 2)
    else:
        inner = made()
        try:
            inner.ParseFromString(packed.value)
        except DecodeError:
            _pack(packed, owner, rng, _DEEPEST - 2)
            return
        _change(inner, inner.DESCRIPTOR.name, rng)
        packed.value = inner.SerializeToString()
