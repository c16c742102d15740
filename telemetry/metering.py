"""OpenTelemetry's metrics for a process: a page for Prometheus and, where asked, an OTLP endpoint."""

from __future__ import annotations

from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.exposition import choose_encoder

# The server's have the Host header of each request as a label, which outsiders choose. Ours, in the place of
# both, have the lane.
_DROPPED = [
    View(
        instrument_name="*",
        meter_name=f"opentelemetry.instrumentation.aiohttp_{side}",
        aggregation=DropAggregation(),
    )
    for side in ("server", "client")
]


class Metrics:
    """The metrics of a process: `provider` for who writes them, `page` for who reads them."""

    def __init__(self, resource: Resource, *, exported: bool) -> None:
        self._registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self._registry.register(collector)
        readers: list[MetricReader] = [
            PrometheusMetricReader(registry=self._registry, scope_info_enabled=False)
        ]
        if exported:
            readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        self.provider = MeterProvider(
            readers,
            resource,
            # Exemplars, which each measurement within a sampled span offers, are not on Prometheus's page.
            exemplar_filter=None if exported else AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
            views=_DROPPED,
        )

    def page(self, accept: str) -> tuple[bytes, str]:
        """The page for Prometheus and its content type, in the format that an Accept header asks for."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type
