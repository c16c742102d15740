"""The attempts of a call, from what its span says of them."""

from __future__ import annotations

from typing import Any

import pytest

from console.reading.spans import Attempt, read_spans

WHERE = {"xds.route": "base", "xds.cluster": "outbound|9080|v1|ratings", "xds.endpoint": "10.0.0.7:9080"}


def attempts(attributes: dict[str, Any], *events: tuple[str, float, dict[str, Any]]) -> tuple[Attempt, ...]:
    span = {
        "trace_id": "a",
        "span_id": "b",
        "name": "c",
        "kind": "CLIENT",
        "start": 1.0,
        "duration_ms": 7.0,
        "status": {"code": "UNSET"},
        "attributes": attributes,
        "events": [{"name": name, "after_ms": at, "attributes": said} for name, at, said in events],
    }
    answer = {"service": "reviews", "version": "v2", "instance": "r", "next": 1, "spans": [span]}
    (found,) = read_spans(answer).spans
    return found.attempts


@pytest.mark.parametrize(("code", "failed"), [(0, ""), (14, "UNAVAILABLE")])
def test_of_an_only_attempt_the_span_tells(code: int, failed: str) -> None:
    attributes = {**WHERE, "xds.attempt": 1, "rpc.grpc.status_code": code}
    assert attempts(attributes) == (Attempt(1, *WHERE.values(), 0.0, failed),)
    waited = ("xds.attempt", 3.5, {**WHERE, "xds.attempt": 1})
    assert attempts(attributes, waited) == (Attempt(1, *WHERE.values(), 3.5, failed),)


def test_of_several_attempts_events_tell_and_the_span_only_of_the_last() -> None:
    found = attempts(
        {**WHERE, "xds.attempt": 2, "rpc.grpc.status_code": 0},
        ("xds.attempt", 0.1, {**WHERE, "xds.attempt": 1}),
        ("xds.retry", 2.0, {"xds.attempt": 1, "grpc.status": "UNAVAILABLE"}),
        ("xds.attempt", 3.0, {**WHERE, "xds.attempt": 2}),
    )
    assert found == (
        Attempt(1, *WHERE.values(), 0.1, "UNAVAILABLE"),
        Attempt(2, *WHERE.values(), 3.0, ""),
    )


def test_a_span_that_was_not_routed_has_none() -> None:
    assert attempts({"rpc.grpc.status_code": 0}) == ()
