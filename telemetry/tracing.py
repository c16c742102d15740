"""OpenTelemetry's traces for a process: who it is, and where its spans go."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from telemetry.store import SpanStore
from telemetry.xds_metrics import LANE


def resource_of(service: str, version: str, instance: str) -> Resource:
    """Who this process is; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word."""
    own = {"service.name": service, "service.version": version, "service.instance.id": instance}
    return Resource.create(own).merge(OTELResourceDetector().detect())


class _LaneOfSpans(SpanProcessor):
    """Says of each span in which lane it was started."""

    def __init__(self, lane: Callable[[], str]) -> None:
        self._lane = lane

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        span.set_attribute(LANE, self._lane())


def tracer_provider(
    resource: Resource, lane: Callable[[], str], store: SpanStore, *, exported: bool
) -> TracerProvider:
    """A provider whose spans are kept in the store and, where asked, sent to the OTLP endpoint as well."""
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_LaneOfSpans(lane))
    provider.add_span_processor(store)
    if exported:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
