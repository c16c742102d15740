"""OpenTelemetry's variables: what is sent where."""

from __future__ import annotations

import pytest

from telemetry.exporting import ExportError, Exporting
from telemetry.tracing import resource_of

AT = "http://collector:4318"


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": AT}, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{AT}/v1/traces"}, True, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{AT}/v1/metrics"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": AT, "OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": AT, "OTEL_TRACES_EXPORTER": "otlp"}, True, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": AT, "OTEL_SDK_DISABLED": "TRUE"}, False, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, False, False),
    ],
)
def test_an_endpoint_is_what_exports(environ: dict[str, str], traces: bool, metrics: bool) -> None:
    assert Exporting.read(environ) == Exporting(traces, metrics)


@pytest.mark.parametrize("endpoint", ["collector:4318", "http://", "ftp://collector", "http://a:port", "/v1"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ExportError) as refused:
        Exporting.read({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    said = f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint!r} is not a URL such as http://otel-collector:4318."
    assert str(refused.value) == said


def test_what_is_not_followed_is_said() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": AT,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_METRICS_EXPORTER": "console",
    }
    found = Exporting.read(environ)
    assert (found.traces, found.metrics) == (True, False)
    assert found.notes == (
        "OTEL_EXPORTER_OTLP_PROTOCOL='grpc' is not followed: OTLP is sent as http/json",
        "OTEL_METRICS_EXPORTER='console' is not followed: it is 'otlp' or 'none' here",
    )


def test_who_a_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    own = dict(resource_of("reviews", "v2", "reviews-v2-abc").attributes)
    assert own["service.name"] == "reviews"
    assert own["service.version"] == "v2"
    assert own["service.instance.id"] == "reviews-v2-abc"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-reviews")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=2.0.1,team=books")
    own = dict(resource_of("reviews", "v2", "reviews-v2-abc").attributes)
    assert (own["service.name"], own["service.version"], own["team"]) == ("shop-reviews", "2.0.1", "books")
