"""How an attempt of a gRPC call ended, where it was not the server that said so.

grpc.aio tells that in the details of the status only, in C-core's words.
"""

from __future__ import annotations

import re

from msgspec import Struct

from .retry import Loss

_HTTP_STATUS = re.compile(r"Received http2 header with status: ([0-9]{3})")
_NO_CONNECTION = "failed to connect to all addresses"
_BROKEN_OFF = "Stream removed ("
_REFUSED = (
    f"{_BROKEN_OFF}RST_STREAM (Received RST_STREAM with error code 7)",
    # Only the streams that the server did not look at are removed for it.
    f"{_BROKEN_OFF}GOAWAY received",
)


class Ending(Struct, frozen=True):
    """What broke an attempt off, or the HTTP status of what answered in the server's place; or neither."""

    lost: Loss | None = None
    http_status: int | None = None


def ending(details: str | None) -> Ending:
    """Read the details of a failed attempt's status."""
    text = details or ""
    if found := _HTTP_STATUS.fullmatch(text):
        return Ending(http_status=int(found[1]))
    if text.startswith(_NO_CONNECTION):
        return Ending("connect-failure")
    if text.startswith(_REFUSED):
        return Ending("refused-stream")
    return Ending("reset" if text.startswith(_BROKEN_OFF) else None)
