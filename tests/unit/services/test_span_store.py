"""The spans a process keeps."""

from __future__ import annotations

import json

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from telemetry.store import SpanStore, to_json


def ended(store: SpanStore, *names: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(store)
    for name in names:
        provider.get_tracer("test").start_span(name).end()


def test_the_last_ones_are_kept_and_can_be_followed() -> None:
    store = SpanStore(limit=3)
    ended(store, "a", "b")
    assert [span.name for span in store.since(0)] == ["a", "b"]
    seen = store.ended
    assert store.since(seen) == []
    ended(store, "c", "d")
    assert [span.name for span in store.since(seen)] == ["c", "d"]
    assert [span.name for span in store.since(0)] == ["b", "c", "d"]
    assert [span.name for span in store.since(1_000)] == []
    assert store.ended == 4


def test_each_start_is_another_run() -> None:
    assert SpanStore().run != SpanStore().run


def test_what_is_not_sampled_is_not_kept() -> None:
    store = SpanStore()
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    provider.add_span_processor(store)
    provider.get_tracer("test").start_span("unsampled").end()
    assert store.ended == 0


def test_a_span_as_json() -> None:
    store = SpanStore()
    provider = TracerProvider()
    provider.add_span_processor(store)
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer") as outer:
        inner = tracer.start_span("inner", kind=trace.SpanKind.CLIENT, start_time=2_000_000_000)
        inner.set_attribute("lanes", ["dev", "qa"])
        inner.add_event("xds.attempt", {"xds.attempt": 1}, timestamp=2_001_500_000)
        inner.set_status(trace.StatusCode.ERROR, "gone")
        inner.end(end_time=2_250_000_000)
    context, parent = inner.get_span_context(), outer.get_span_context()
    said = json.loads(json.dumps(to_json(store.since(0)[0])))
    assert said == {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
        "parent_span_id": trace.format_span_id(parent.span_id),
        "name": "inner",
        "kind": "CLIENT",
        "start": 2.0,
        "duration_ms": 250.0,
        "status": {"code": "ERROR", "description": "gone"},
        "attributes": {"lanes": ["dev", "qa"]},
        "events": [{"name": "xds.attempt", "after_ms": 1.5, "attributes": {"xds.attempt": 1}}],
    }
    assert to_json(store.since(0)[1])["parent_span_id"] is None
