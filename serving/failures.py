"""What HTTP APIs say of a call that failed. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that was not answered: gRPC's name of the code, and the reason in short."""

    code: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """As the API gives it."""
        return {"code": self.code, "reason": self.reason}


_MAX_REASON = 300
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 501,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def failure(code: str, details: str | None) -> Failure:
    """A failure whose reason is short enough for a page."""
    reason = " ".join((details or "no reason given").split())
    return Failure(code, reason if len(reason) <= _MAX_REASON else reason[: _MAX_REASON - 1] + "…")


def http_status(code: str) -> int:
    """The HTTP status of a request that failed with this gRPC code for want of its only dependency."""
    return _STATUS.get(code, 502)


def response_failure(status: int, body: str) -> Failure:
    """A failure as a service that speaks HTTP tells of it: in JSON, else whoever answered in its place."""
    try:
        said = json.loads(body)["error"]
        return failure(str(said["code"]), str(said["reason"]))
    except (ValueError, LookupError, TypeError):
        code = next((name for name, http in _STATUS.items() if http == status), "UNKNOWN")
        return failure(code, body or f"HTTP {status}")
