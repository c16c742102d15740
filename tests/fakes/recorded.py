"""What admin ports of a mesh on one machine once said, and spans made by hand beside it."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from console.reading.calls import Directory
from console.reading.spans import Attempt, Place, Span, Told, read_spans

FOLDER = Path(__file__).parents[1] / "unit" / "console" / "recorded"
PROCESSES = (
    "productpage-v1",
    "reviews-v2",
    "reviews-v3",
    "ratings-v1",
    "details-v1",
    "delivery-v1",
)
PAGE = "ae325d01ba533fc855393cd6638bcfe8"
"""The page for jason, in base."""
DEV = "550174c88aed76407a3edda025088c18"
"""A book in lane dev, of which ratings v2 was killed before it told of its part."""
STRICT = "f4d37d91ea9dea2b7e9ecffd1d4d09b5"
"""A book in a strict lane that has a version of reviews only."""
DELIVERY = "d7ac3ef13c604006c58c812ae4b92251"
"""A way over HTTP, in lane dev."""
LISTENERS = {
    "127.77.0.12:9080": Place("reviews", "v2"),
    "127.77.0.13:9080": Place("reviews", "v3"),
    "127.77.0.14:9080": Place("ratings", "v1"),
    "127.77.0.15:9080": Place("ratings", "v2"),
    "127.77.0.16:9080": Place("details", "v1"),
    "127.77.0.17:9080": Place("details", "v2"),
    "127.77.0.18:9080": Place("delivery", "v1"),
}
DIRECTORY = Directory(LISTENERS)
_ids = count(1)


def said(name: str) -> Any:
    """An answer as it was."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def told(name: str) -> Told:
    """The spans of a process."""
    return read_spans(said(name))


def spans() -> list[Span]:
    """The spans of all processes, as they would come: one process after the other."""
    return [span for name in PROCESSES for span in told(name).spans]


def made(
    kind: str,
    place: str,
    *,
    trace: str = "t",
    parent: str | None = None,
    lane: str = "base",
    start: float = 0.0,
    ms: float = 1.0,
    error: str = "",
    attempts: tuple[Attempt, ...] = (),
    **attributes: Any,
) -> Span:
    """A span of `service version`; a client's is of a gRPC call, a server's of productpage of a request."""
    service, _, version = place.partition(" ")
    said: dict[str, Any] = {"lane": lane, **attributes}
    if kind == "SERVER" and service == "productpage":
        said |= {"http.method": "GET", "http.target": "/", "http.status_code": 200} | attributes
    elif "http.url" not in said:
        said |= {"rpc.service": "bookinfo.v1.Reviews", "rpc.method": "GetReviews"} | attributes
    return Span(
        trace_id=trace,
        span_id=f"s{next(_ids)}",
        parent=parent,
        name=f"{kind} {service}",
        kind=kind,
        start=start,
        duration_ms=ms,
        failed=bool(error),
        error=error,
        attributes=said,
        attempts=attempts,
        place=Place(service, version),
        instance=f"{service}-{version}",
    )


def attempt(
    endpoint: str, cluster: str = "", route: str = "base", number: int = 1, failed: str = ""
) -> Attempt:
    return Attempt(number, route, cluster, endpoint, 0.1, failed)
