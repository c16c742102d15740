"""Messages opened no further than their longest list, whose elements stay bytes.

A table of 10,000 routes is decoded route by route: that never takes long at once, and a route whose bytes
are those of before need not be decoded at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ..errors import ResourceError
from ..steps import Steps


def decode(proto: type[Any], data: bytes, where: str = "", as_a: type[Any] | None = None) -> Any:
    """Decode a message; raises ResourceError where the bytes are none (of what it stands for: `as_a`)."""
    try:
        return proto.FromString(data)
    except DecodeError as error:
        name = (as_a or proto).DESCRIPTOR.full_name
        raise ResourceError(where, f"cannot be decoded as {name}: {error}") from None


class Shell:
    """Decodes a message but for one of its lists, if it has a long one.

    That is done by a message that knows of this field only, as bytes: the others are unknown to it, which
    protobuf keeps, so that what is left without the list is the message without it.
    """

    def __init__(self, proto: type[Any], elements: str = "") -> None:
        self._proto = proto
        self._shell = _shell(proto.DESCRIPTOR, elements) if elements else None

    def opening(self, data: bytes, where: str = "") -> Steps[tuple[Any, Sequence[bytes]]]:
        """Decode it in steps to the message without the list, and the list.

        Raises ResourceError where the bytes are none.
        """
        if self._shell is None:
            return decode(self._proto, data, where), ()
        yield
        shell = decode(self._shell, data, where, as_a=self._proto)
        yield
        elements = tuple(shell.elements)
        yield
        del shell.elements[:]
        return decode(self._proto, shell.SerializeToString(), where), elements


def _shell(message: Any, elements: str) -> type[Any]:
    """Make the message that knows of one field only."""
    file = FileDescriptorProto(name=f"proxyless/{message.full_name}", package="proxyless")
    file.message_type.add(name="Shell").field.add(
        name="elements",
        number=message.fields_by_name[elements].number,
        type=FieldDescriptorProto.TYPE_BYTES,
        label=FieldDescriptorProto.LABEL_REPEATED,
    )
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    made: type[Any] = GetMessageClass(pool.FindMessageTypeByName("proxyless.Shell"))
    return made
