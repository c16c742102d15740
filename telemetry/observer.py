"""What a service has OpenTelemetry told of its calls through the mesh: metrics and spans."""

from __future__ import annotations

from collections.abc import Callable, Collection

from opentelemetry.metrics import MeterProvider
from proxyless import Attempt
from proxyless.resources import Kind

from telemetry import xds_spans
from telemetry.lane_labels import KnownLanes
from telemetry.xds_metrics import OPTIONAL_LABELS, XdsMetrics


class XdsTelemetry(XdsMetrics):
    """The metrics of one proxyless Client, and what its calls' spans say; `lane` is asked in the call.

    With `known` lanes the metrics of calls have the lane as a label, those it does not know as `other`.
    """

    def __init__(
        self,
        lane: Callable[[], str | None],
        provider: MeterProvider | None = None,
        *,
        labels: Collection[str] = OPTIONAL_LABELS,
        known: KnownLanes | None = None,
    ) -> None:
        label = None if known is None else lambda: known.label(lane())
        super().__init__(provider, labels=labels, lane=label)
        self._asked = lane
        self._known = known

    def resource_cached(self, kind: Kind, name: str, state: str | None) -> None:
        """Routes that change may know other lanes."""
        super().resource_cached(kind, name, state)
        if self._known is not None and kind in (Kind.LISTENER, Kind.ROUTE_CONFIG):
            self._known.changed()

    def call_routed(self, attempt: Attempt) -> None:
        """Count it and put it on the span."""
        lane = self._asked()
        label = None if self._known is None else self._known.label(lane)
        self._batch.add(self._write_started, attempt, label)
        xds_spans.routed(attempt, lane)

    def call_retried(self, attempt: Attempt, code: str) -> None:
        """Put it on the span."""
        xds_spans.retried(attempt, code, self._asked())
