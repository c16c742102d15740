"""One JSON object per line on standard error, with the request and trace a line belongs to."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from opentelemetry import trace

# What every LogRecord has; anything else on it was given by the caller as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; `standing` is in every line, `request` is asked for each."""

    def __init__(self, standing: Mapping[str, str], request: Callable[[], Mapping[str, str]]) -> None:
        super().__init__()
        self._standing = dict(standing)
        self._request = request

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline; what JSON does not know is written as text."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            **self._standing,
            "logger": record.name,
            "message": record.getMessage(),
            **self._request(),
            **trace_fields(),
        }
        fields.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


def trace_fields() -> dict[str, str]:
    """The ids of the current span, nothing without one."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(span.trace_id),
        "span_id": trace.format_span_id(span.span_id),
    }


def configure(level: str, standing: Mapping[str, str], request: Callable[[], Mapping[str, str]]) -> None:
    """Send all logs of this process through the formatter, replacing what was set up before."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(standing, request))
    logging.basicConfig(level=level, handlers=[handler], force=True)
