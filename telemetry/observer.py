"""What a service has OpenTelemetry told of its calls through the mesh: metrics and spans."""

from __future__ import annotations

from collections.abc import Callable, Collection

from opentelemetry.metrics import MeterProvider
from proxyless import Attempt

from telemetry import xds_spans
from telemetry.xds_metrics import OPTIONAL_LABELS, XdsMetrics


class XdsTelemetry(XdsMetrics):
    """The metrics of one proxyless Client, and what its calls' spans say; `lane` is asked in the call."""

    def __init__(
        self,
        lane: Callable[[], str | None],
        provider: MeterProvider | None = None,
        *,
        labels: Collection[str] = OPTIONAL_LABELS,
    ) -> None:
        super().__init__(provider, labels=labels)
        self._lane = lane

    def call_routed(self, attempt: Attempt) -> None:
        """Count it and put it on the span."""
        super().call_routed(attempt)
        xds_spans.routed(attempt, self._lane())

    def call_retried(self, attempt: Attempt, code: str) -> None:
        """Put it on the span."""
        xds_spans.retried(attempt, code)
