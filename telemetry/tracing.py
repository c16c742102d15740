"""OpenTelemetry for a process: who it is, and which headers carry its context."""

from __future__ import annotations

from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def install(service: str, version: str, instance: str) -> TracerProvider:
    """Make this process known to OpenTelemetry; spans are made and linked, and go nowhere yet."""
    resource = Resource.create(
        {"service.name": service, "service.version": version, "service.instance.id": instance}
    )
    provider = TracerProvider(resource=resource)
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    )
    return provider
