"""Where OpenTelemetry's variables want traces and metrics sent. Pure.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and, for OTLP,
https://opentelemetry.io/docs/specs/otel/protocol/exporter/. What the SDK reads itself (samplers, limits, the
batches, headers, timeouts) is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Signal = Literal["TRACES", "METRICS"]

PROTOCOL = "http/json"
"""The one that needs no protobuf of OpenTelemetry's, which xds-protos overwrites."""


class ExportError(Exception):
    """A variable that cannot be followed; the message is one sentence with its name and value."""


@dataclass(frozen=True, slots=True)
class Exporting:
    """Which signals go to an OTLP endpoint; what else the variables ask for is not followed, and said."""

    traces: bool
    metrics: bool
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Exporting:
        """What is asked for in this environment; ExportError where an endpoint is no URL."""
        if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return cls(False, False)
        notes: list[str] = []
        return cls(_wanted(environ, "TRACES", notes), _wanted(environ, "METRICS", notes), tuple(notes))


def _wanted(environ: Mapping[str, str], signal: Signal, notes: list[str]) -> bool:
    """Whether a signal is exported: where an endpoint is set, unless its exporter is said to be another."""
    found = _first(environ, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    chosen = environ.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if chosen and chosen not in ("otlp", "none"):
        notes.append(f"OTEL_{signal}_EXPORTER={chosen!r} is not followed: it is 'otlp' or 'none' here")
    if found is None or chosen not in ("", "otlp"):
        return False
    name, endpoint = found
    if not _is_url(endpoint):
        raise ExportError(f"{name}={endpoint!r} is not a URL such as http://otel-collector:4318.")
    protocol = _first(environ, f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol is not None and protocol[1] != PROTOCOL:
        notes.append(f"{protocol[0]}={protocol[1]!r} is not followed: OTLP is sent as {PROTOCOL}")
    return True


def _first(environ: Mapping[str, str], *names: str) -> tuple[str, str] | None:
    return next(((name, value) for name in names if (value := environ.get(name, "").strip())), None)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
