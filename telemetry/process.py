"""OpenTelemetry for a whole process: set up once, from its variables, and shut down at its end."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider

from telemetry.exporting import Exporting
from telemetry.metering import Metrics
from telemetry.store import SpanStore
from telemetry.tracing import resource_of, tracer_provider

HELP = "OTEL_EXPORTER_OTLP_ENDPOINT sends traces and metrics, OTEL_TRACES_SAMPLER samples"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a process has of OpenTelemetry."""

    tracers: TracerProvider
    spans: SpanStore
    metrics: Metrics

    def shutdown(self, timeout: float = 2.0) -> None:
        """Send what has not been sent; an endpoint that does not take it in so many seconds is given up.

        The exporters themselves try again for ten seconds each, which is all the time a Pod has to end.
        """
        ends = [self.tracers.shutdown, self.metrics.provider.shutdown]
        threads = [threading.Thread(target=end, name="end of telemetry", daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


_installed: Telemetry | None = None


def install(
    service: str,
    version: str,
    instance: str,
    *,
    lane: Callable[[], str],
    environ: Mapping[str, str] = os.environ,
) -> Telemetry:
    """Make this process known to OpenTelemetry; ExportError where its variables cannot be followed.

    `lane` is asked for each span.
    """
    global _installed
    exporting = Exporting.read(environ)
    for note in exporting.notes:
        _log.warning("%s", note, extra={"event": "telemetry"})
    resource = resource_of(service, version, instance)
    store = SpanStore()
    found = Telemetry(
        tracer_provider(resource, lane, store, exported=exporting.traces),
        store,
        Metrics(resource, exported=exporting.metrics),
    )
    trace.set_tracer_provider(found.tracers)
    metrics.set_meter_provider(found.metrics.provider)
    _installed = found
    return found


def installed() -> Telemetry | None:
    """What `install` made in this process."""
    return _installed
