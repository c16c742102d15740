"""When a lane ends by itself: a moment in UTC, annotated where its routes are. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

# The lane is the name of the annotation and not a part of it, because such a name has 63 characters at most.
_PREFIX = "expires.lanes.proxyless.dev/"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def is_expiry(annotation: str) -> bool:
    """Whether an annotation of this name says when a lane ends."""
    return annotation.startswith(_PREFIX)


def expiry_in(annotations: Mapping[str, str], lane: str) -> str:
    """When a lane ends by the annotations of a VirtualService; empty for never."""
    return str(annotations.get(_PREFIX + lane) or "")


def with_expiry(annotations: Mapping[str, str], lane: str, expires: str) -> dict[str, str]:
    """The annotations with this as the end of a lane; empty removes it."""
    key = _PREFIX + lane
    if expires:
        return {**annotations, key: expires}
    return {name: value for name, value in annotations.items() if name != key}


def of_lanes(annotations: Mapping[str, str], lanes: Collection[str]) -> dict[str, str]:
    """The annotations without the ends of other lanes than these."""
    return {
        name: value
        for name, value in annotations.items()
        if not is_expiry(name) or name.removeprefix(_PREFIX) in lanes
    }


def expiry_after(now: datetime, seconds: float) -> str:
    """The moment so many seconds from now."""
    return (now + timedelta(seconds=seconds)).astimezone(UTC).strftime(_FORMAT)


def is_past(expires: str, now: datetime) -> bool:
    """Whether that moment has come; never for what is no moment."""
    try:
        return datetime.strptime(expires, _FORMAT).replace(tzinfo=UTC) <= now
    except ValueError:
        return False
