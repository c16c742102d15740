"""What HTTP APIs say of a call that failed. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from lanes.own import PREFIX, STRICT


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that was not answered: gRPC's name of the code, and the reason in short.

    `says` is the same in words, where the rules of lanes are the reason.
    """

    code: str
    reason: str
    says: str = ""

    def to_json(self) -> dict[str, str]:
        """As the API gives it; `says` only where there is something to say."""
        return {"code": self.code, "reason": self.reason} | ({"says": self.says} if self.says else {})


_MAX_REASON = 300
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 501,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


_STRICT = re.compile(r"xds:///(?P<service>[^\s:/.]+).*?: fault injected by route '(?P<route>[^']*)'")


def failure(code: str, details: str | None, lane: str = "") -> Failure:
    """A failure whose reason is short enough for a page; `lane` is the one of the call."""
    reason = " ".join((details or "no reason given").split())
    says = kept_from_base(reason, lane)
    return Failure(code, reason if len(reason) <= _MAX_REASON else reason[: _MAX_REASON - 1] + "…", says)


def kept_from_base(reason: str, lane: str) -> str:
    """In words, where the rule that makes the lane strict ended a call; empty where another reason did.

    To a client of xDS that rule is a fault like any other, so its error names no lane.
    """
    found = _STRICT.search(reason)
    if found is None or found["route"] != f"{PREFIX}{lane}{STRICT}":
        return ""
    # Its own route was passed over, so there is one.
    tried = f"route '{PREFIX}{lane}':" in reason
    lacks = "nobody of its version of {} can be called" if tried else "has no version of {}"
    return f"lane {lane} is strict and {lacks.format(found['service'])}"


def http_status(code: str) -> int:
    """The HTTP status of a request that failed with this gRPC code for want of its only dependency."""
    return _STATUS.get(code, 502)


def response_failure(status: int, body: str, lane: str = "") -> Failure:
    """A failure as a service that speaks HTTP tells of it: in JSON, else whoever answered in its place."""
    try:
        said = json.loads(body)["error"]
        return failure(str(said["code"]), str(said["reason"]), lane)
    except (ValueError, LookupError, TypeError):
        code = next((name for name, http in _STATUS.items() if http == status), "UNKNOWN")
        return failure(code, body or f"HTTP {status}", lane)
