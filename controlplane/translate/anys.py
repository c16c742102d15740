"""Messages packed so that the same content is always the same bytes."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message


def pack(message: Message) -> Any:
    """The message in an Any; maps are written in order, so equal content is equal bytes."""
    return Any(
        type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        value=message.SerializeToString(deterministic=True),
    )


def duration(nanoseconds: int) -> Duration:
    """A protobuf duration."""
    return Duration(seconds=nanoseconds // 1_000_000_000, nanos=nanoseconds % 1_000_000_000)
