"""What this library does with each field of each message it reads, found by setting the field and parsing.

Nothing here is told: a resource that holds the message is parsed with the field and without it, and what
comes out of `parse` (another resource, a note, a refusal, nothing) is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from envoy.extensions.filters.http.router.v3 import router_pb2
from google.protobuf import any_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from proxyless.errors import ResourceError
from proxyless.parse import Parsed, parse_resource
from proxyless.resources import KIND_OF_TYPE_URL

Outcome = Literal["effect", "noted", "refused", "silent"]
_RANK: tuple[Outcome, ...] = ("effect", "noted", "refused", "silent")
_POOL = descriptor_pool.Default()
_ROUTER = router_pb2.Router.DESCRIPTOR.full_name  # importing it is what makes its type known to the pool
_TYPE_URL = "type.googleapis.com/"
_PLAIN = ("google.protobuf.", _ROUTER)
"""Messages that are values (durations, wrappers, structs) or a filter's mere presence."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One value a field was given, and what came of it; `said` is the note or the refusal."""

    value: str
    outcome: Outcome
    said: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that hold every message, and the values that generic ones cannot stand for."""

    whole: tuple[Any, ...]
    values: Mapping[str, tuple[str, ...]]


def read_resources(data: Mapping[str, Any]) -> Resources:
    """Make the resources of `resources.yaml`, which says them in protobuf's text format."""
    whole = []
    for name, texts in data["resources"].items():
        for text in texts:
            whole.append(text_format.Parse(text, _new(_POOL.FindMessageTypeByName(name))))
    values = {name: tuple([said] if isinstance(said, str) else said) for name, said in data["values"].items()}
    return Resources(tuple(whole), values)


def messages_read(resources: Resources) -> list[str]:
    """The messages these resources hold, in order of appearance, without those that are mere values."""
    seen: dict[str, None] = {}
    for whole in resources.whole:
        for message in _walk(whole):
            seen.setdefault(message.DESCRIPTOR.full_name)
    return [name for name in seen if not name.startswith(_PLAIN)]


def fields_of(name: str) -> list[str]:
    """The fields of a message, in the order of its proto file."""
    return [each.name for each in _POOL.FindMessageTypeByName(name).fields]


def is_deprecated(name: str, field: str) -> bool:
    """Whether the proto file says `deprecated` of this field."""
    descriptor = _POOL.FindMessageTypeByName(name).fields_by_name[field]
    return bool(descriptor.GetOptions().deprecated)


def try_field(resources: Resources, name: str, field: str) -> list[Tried]:
    """Set one field in every way there is a value for, and say what came of each.

    Where several resources hold the message, what has an effect in one of them has an effect.
    """
    descriptor = _POOL.FindMessageTypeByName(name)
    tried: dict[str, Tried] = {}
    for home in resources.whole:
        first = next((each for each in _walk(home) if each.DESCRIPTOR is descriptor), None)
        if first is None:
            continue
        without = _parse(_edited(home, descriptor, partial(_clear, field)))
        for value, setting in _settings(first, field, resources.values.get(f"{name}.{field}")):
            outcome, said = _compare(field, without, _parse(_edited(home, descriptor, setting)))
            found = Tried(value, outcome, said)
            best = tried.setdefault(value, found)
            if _RANK.index(outcome) < _RANK.index(best.outcome):
                tried[value] = found
    return list(tried.values())


def _compare(
    field: str, without: Parsed | ResourceError, given: Parsed | ResourceError
) -> tuple[Outcome, str]:
    """What a field that is set changes; its note of no effect outweighs what its oneof took away."""
    if isinstance(given, ResourceError):
        return "refused", str(given)
    about = [note for note in given.notes if _last_name(note) == field]
    if any("has no effect here" in note for note in about):
        return "noted", "; ".join(about)
    if isinstance(without, ResourceError) or without.resource != given.resource:
        return "effect", "; ".join(about)
    new = [note for note in given.notes if note not in without.notes]
    return ("noted", "; ".join(new)) if new else ("silent", "")


def _last_name(note: str) -> str:
    """The field a note is about: `a[0].b[1]: …` is about b."""
    return note.partition(": ")[0].rpartition(".")[2].partition("[")[0]


def _parse(message: Any) -> Parsed | ResourceError:
    url = _TYPE_URL + message.DESCRIPTOR.full_name
    try:
        return parse_resource(KIND_OF_TYPE_URL[url], url, message.SerializeToString())
    except ResourceError as error:
        return error


def _settings(
    first: Any, field: str, said: tuple[str, ...] | None
) -> Iterator[tuple[str, Callable[[Any], object]]]:
    """The values to give: those of the data; else what the message holds; else one of the field's type."""
    each = first.DESCRIPTOR.fields_by_name[field]
    if said is not None:
        for text in said:
            yield text, partial(_replace, field, text)
    elif each.enum_type is not None and not each.is_repeated:
        for value in each.enum_type.values:
            yield value.name, partial(_set, field, value.number)
    elif any(found.number == each.number for found, _ in first.ListFields()):
        yield "", lambda message: None
    else:
        yield "", partial(_fill, each)


def _clear(field: str, message: Any) -> None:
    """Unset a field, or all of the oneof it is in: what it is compared with is that nothing is said."""
    oneof = message.DESCRIPTOR.fields_by_name[field].containing_oneof
    for each in oneof.fields if oneof is not None else [message.DESCRIPTOR.fields_by_name[field]]:
        message.ClearField(each.name)


def _set(field: str, value: Any, message: Any) -> None:
    setattr(message, field, value)


def _replace(field: str, text: str, message: Any) -> None:
    message.ClearField(field)
    text_format.Merge(text, message)


def _fill(field: FieldDescriptor, message: Any) -> None:
    """Give a field some value of its type other than the default."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        if value.message_type is None:
            getattr(message, field.name)["k"] = "v"
        else:
            getattr(message, field.name)["k"].SetInParent()
    elif field.is_repeated:
        if field.message_type is None:
            getattr(message, field.name).append(_scalar(field))
        else:
            getattr(message, field.name).add()
    elif field.message_type is None:
        setattr(message, field.name, _scalar(field))
    else:
        _fill_message(getattr(message, field.name))


def _fill_message(message: Any) -> None:
    message.SetInParent()
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Duration":
        message.seconds = 3
    elif (
        name.startswith("google.protobuf.")
        and name.endswith("Value")
        and "value" in message.DESCRIPTOR.fields_by_name
    ):
        message.value = _scalar(message.DESCRIPTOR.fields_by_name["value"])
    elif name == "google.protobuf.Any":
        message.Pack(wrappers_pb2.StringValue(value="x"))


def _scalar(field: FieldDescriptor) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return b"x" if field.type == FieldDescriptor.TYPE_BYTES else "x"
    return 7


def _walk(message: Any) -> Iterator[Any]:
    """A message and all in it, through every Any whose type is known."""
    if isinstance(message, any_pb2.Any):
        inner = _unpacked(message)
        if inner is not None:
            yield from _walk(inner)
        return
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in _values(field, value):
                yield from _walk(each)


def _edited(whole: Any, descriptor: Descriptor, edit: Callable[[Any], object]) -> Any:
    """A copy of a resource in which the first message of this type is edited."""
    copy = _new(whole.DESCRIPTOR)
    copy.CopyFrom(whole)
    _edit_first(copy, descriptor, edit)
    return copy


def _edit_first(message: Any, descriptor: Descriptor, edit: Callable[[Any], object]) -> bool:
    if isinstance(message, any_pb2.Any):
        inner = _unpacked(message)
        if inner is None or not _edit_first(inner, descriptor, edit):
            return False
        message.Pack(inner)
        return True
    if message.DESCRIPTOR is descriptor:
        edit(message)
        return True
    return any(
        _edit_first(each, descriptor, edit)
        for field, value in message.ListFields()
        if field.message_type is not None
        for each in _values(field, value)
    )


def _values(field: FieldDescriptor, value: Any) -> list[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_messages = field.message_type.fields_by_name["value"].message_type is not None
        return [value[key] for key in sorted(value)] if of_messages else []
    return list(value) if field.is_repeated else [value]


def _unpacked(packed: Any) -> Any:
    try:
        descriptor = _POOL.FindMessageTypeByName(packed.TypeName())
    except KeyError:
        return None
    inner = _new(descriptor)
    packed.Unpack(inner)
    return inner


def _new(descriptor: Descriptor) -> Any:
    return message_factory.GetMessageClass(descriptor)()
