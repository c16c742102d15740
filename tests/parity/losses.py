"""The table of how gRPC calls end without an answer, and which words of `retry_on` retry them.

Each row is tried with each word, by all three clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grpc import StatusCode

from tests.fakes import http2
from tests.fakes.http2 import End

WORDS: Final = (
    "connect-failure",
    "refused-stream",
    "reset",
    "5xx",
    "gateway-error",
    "retriable-4xx",
    "retriable-status-codes",
    "cancelled",
    "internal",
    "unavailable",
)
"""Of `retry_on`; the one status code that is retriable is 503."""
EVERY: Final = " ".join(WORDS)


@dataclass(frozen=True)
class Loss:
    """One row: how the first attempt of a call ends; a second is answered."""

    name: str
    end: End
    code: StatusCode
    """What the caller gets if there is no second."""
    retried: str = ""
    """The words that ours and Envoy retry it for."""
    only_ours: str = ""
    """The words that ours retries it for, and Envoy does not."""
    grpc: str = ""
    """The words that gRPC's client retries it for."""
    envoy: StatusCode | None = None
    """What the caller gets behind Envoy, where it is not the same."""
    why: str = ""
    """Why ours differs from Envoy."""


OWN_STATUS = "gRFC A6 retries by the status that the caller would get, Envoy only by one that was sent"
UNSEEN = "no server has looked at it, so gRPC sends it anew, whatever the policy (gRFC A6)"

ROWS = (
    Loss(
        "REFUSED_STREAM",
        http2.reset(7),
        StatusCode.UNAVAILABLE,
        "refused-stream reset 5xx gateway-error",
        "unavailable",
        grpc="unavailable",
        why=OWN_STATUS,
    ),
    Loss(
        "INTERNAL_ERROR",
        http2.reset(2),
        StatusCode.INTERNAL,
        "reset 5xx gateway-error",
        "internal",
        grpc="internal",
        envoy=StatusCode.UNAVAILABLE,
        why=OWN_STATUS,
    ),
    Loss(
        "CANCEL",
        http2.reset(8),
        StatusCode.CANCELLED,
        "reset 5xx gateway-error",
        "cancelled",
        grpc="cancelled",
        envoy=StatusCode.UNAVAILABLE,
        why=OWN_STATUS,
    ),
    Loss(
        "the connection ends",
        http2.hang_up,
        StatusCode.UNAVAILABLE,
        "reset 5xx gateway-error",
        "unavailable",
        grpc="unavailable",
        why=OWN_STATUS,
    ),
    Loss(
        "GOAWAY",
        http2.go_away,
        StatusCode.UNAVAILABLE,
        "refused-stream reset 5xx gateway-error",
        "connect-failure retriable-4xx retriable-status-codes cancelled internal unavailable",
        grpc=EVERY,
        why=UNSEEN,
    ),
    Loss("HTTP 404", http2.http(404), StatusCode.UNIMPLEMENTED),
    Loss("HTTP 409", http2.http(409), StatusCode.UNKNOWN, "retriable-4xx"),
    Loss("HTTP 500", http2.http(500), StatusCode.UNKNOWN, "5xx"),
    Loss(
        "HTTP 502",
        http2.http(502),
        StatusCode.UNAVAILABLE,
        "5xx gateway-error",
        "unavailable",
        grpc="unavailable",
        why=OWN_STATUS,
    ),
    Loss(
        "HTTP 503",
        http2.http(503),
        StatusCode.UNAVAILABLE,
        "5xx gateway-error retriable-status-codes",
        "unavailable",
        grpc="unavailable",
        why=OWN_STATUS,
    ),
    Loss("CANCELLED, said", http2.grpc(1), StatusCode.CANCELLED, "cancelled", grpc="cancelled"),
    Loss("INTERNAL, said", http2.grpc(13), StatusCode.INTERNAL, "internal", grpc="internal"),
    Loss("UNAVAILABLE, said", http2.grpc(14), StatusCode.UNAVAILABLE, "unavailable", grpc="unavailable"),
)
