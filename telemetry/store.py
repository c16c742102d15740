"""The spans that ended in this process, the last few of them, for whoever asks."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

LIMIT = 2000
"""How many spans are kept; about 3 kB each."""


class SpanStore(SpanProcessor):
    """Keeps the sampled spans that ended last, in the order in which they ended."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._spans: deque[ReadableSpan] = deque(maxlen=limit)
        self._ended = 0
        self.run = secrets.token_hex(8)
        """Another one for each start of the process, by which others see that it counts anew."""

    @property
    def ended(self) -> int:
        """How many have ended since the process started, those that are no longer kept included."""
        return self._ended

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it; the oldest makes room."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self._spans.append(span)
            self._ended += 1

    def since(self, number: int) -> Sequence[ReadableSpan]:
        """The spans kept of those that ended after the first `number`, oldest first."""
        kept = list(self._spans)
        return kept[max(0, len(kept) - max(0, self._ended - number)) :]


def to_json(span: ReadableSpan) -> dict[str, Any]:
    """A span as plain values: hex ids as in `traceparent`, times in seconds since 1970, durations in ms."""
    context, parent = span.get_span_context(), span.parent
    assert context is not None, "a span that was started has a context"
    start, end = span.start_time or 0, span.end_time or 0
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
        "parent_span_id": None if parent is None else trace.format_span_id(parent.span_id),
        "name": span.name,
        "kind": span.kind.name,
        "start": start / 1e9,
        "duration_ms": round((end - start) / 1e6, 3),
        "status": {"code": span.status.status_code.name, "description": span.status.description},
        "attributes": dict(_plain(span.attributes)),
        "events": [
            {
                "name": event.name,
                "after_ms": round((event.timestamp - start) / 1e6, 3),
                "attributes": dict(_plain(event.attributes)),
            }
            for event in span.events
        ],
    }


def _plain(attributes: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    for key, value in (attributes or {}).items():
        yield key, list(value) if isinstance(value, tuple) else value
