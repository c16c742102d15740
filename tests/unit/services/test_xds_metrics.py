"""What counts as the failure of a control plane: going from healthy to unhealthy, not staying there (A78)."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from proxyless import Attempt
from proxyless.resources import LocalityName

from telemetry.xds_metrics import XdsMetrics


def test_a_server_goes_from_healthy_to_unhealthy_and_back() -> None:
    reader = InMemoryMetricReader()
    observer = XdsMetrics(MeterProvider(metric_readers=[reader]))

    def now() -> tuple[Any, Any]:
        data: Any = reader.get_metrics_data()
        (scope,) = data.resource_metrics[0].scope_metrics
        values = {metric.name: metric.data.data_points[0].value for metric in scope.metrics}
        return values.get("grpc.xds_client.connected"), values.get("grpc.xds_client.server_failure")

    observer.stream_opening("a:1")
    assert now() == (1, None)
    observer.stream_failed("a:1", "no route to host")
    assert now() == (0, 1)
    observer.stream_opening("a:1")
    observer.stream_failed("a:1", "no route to host")
    assert now() == (0, 1)
    observer.stream_opening("a:1")
    observer.stream_connected("a:1")
    assert now() == (1, 1)
    observer.stream_opening("a:1")  # a stream that ended after a response is no failure
    assert now() == (1, 1)
    observer.stream_failed("a:1", "reset")
    assert now() == (0, 2)


def test_http_requests_are_not_counted_as_grpc_s_calls() -> None:
    reader = InMemoryMetricReader()
    observer = XdsMetrics(MeterProvider(metric_readers=[reader]))
    observer.call_routed(Attempt("xds:///a:1", "GET /books/1", "#0", "c", "10.0.0.1:80", LocalityName(), 1))
    assert reader.get_metrics_data() is None
    observer.call_routed(Attempt("xds:///a:1", "/s/m", "#0", "c", "10.0.0.1:80", LocalityName(), 1))
    assert reader.get_metrics_data() is not None
