"""Which failures are retried, and when."""

from __future__ import annotations

from typing import Any

import pytest
from proxyless.resources import (
    HeaderMatch,
    PresentMatch,
    RetryPolicy,
    StringMatch,
)
from proxyless.retry import backoff, may_retry, may_retry_request, pushback, request_backoff

ALL_CONDITIONS = frozenset(
    {"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}
)


@pytest.mark.parametrize("code", range(17))
def test_which_codes_are_retried(code: int) -> None:
    word = {
        1: "cancelled",
        4: "deadline-exceeded",
        8: "resource-exhausted",
        13: "internal",
        14: "unavailable",
    }.get(code)
    assert may_retry(RetryPolicy(ALL_CONDITIONS), code, 1) is (word is not None)
    assert not may_retry(RetryPolicy(ALL_CONDITIONS - {word or ""}), code, 1)
    assert not may_retry(RetryPolicy(frozenset()), code, 1)


@pytest.mark.parametrize(("attempts", "retried"), [(1, True), (2, True), (3, False), (4, False)])
def test_attempts_are_counted_with_the_first(attempts: int, retried: bool) -> None:
    assert may_retry(RetryPolicy(ALL_CONDITIONS, 3), 14, attempts) is retried


def test_grpc_has_five_attempts_at_most() -> None:
    policy = RetryPolicy(ALL_CONDITIONS | {"5xx"}, 99)
    assert (may_retry(policy, 14, 4), may_retry(policy, 14, 5)) == (True, False)
    assert may_retry_request(policy, 98, status=500)
    assert not may_retry_request(policy, 99, status=500)


LOSSES: dict[str, set[str]] = {
    # condition: the ways in which an attempt that it retries got no answer
    "connect-failure": {"connect-failure"},
    "refused-stream": {"refused-stream"},
    "reset": {"connect-failure", "refused-stream", "reset"},
    "5xx": {"connect-failure", "refused-stream", "reset"},
    "gateway-error": {"connect-failure", "refused-stream", "reset"},
    "retriable-4xx": set(),
    "retriable-status-codes": set(),
    "retriable-headers": set(),
    "envoy-ratelimited": set(),
    "unavailable": set(),
}
STATUSES: dict[str, set[int]] = {
    # condition: the HTTP status codes that it retries
    "5xx": {500, 501, 502, 503, 504, 599},
    "gateway-error": {502, 503, 504},
    "retriable-4xx": {409},
    "retriable-status-codes": {418, 503},
}


@pytest.mark.parametrize("word", LOSSES)
@pytest.mark.parametrize("lost", ["connect-failure", "refused-stream", "reset"])
def test_what_is_retried_that_got_no_answer(word: str, lost: Any) -> None:
    policy = RetryPolicy(frozenset({word}))
    assert may_retry_request(policy, 1, lost=lost) is (lost in LOSSES[word])
    # A gRPC call then has a status that gRPC made up.
    assert may_retry(policy, 2, 1, lost=lost) is (lost in LOSSES[word])
    assert not may_retry(policy, 2, 1)


@pytest.mark.parametrize("word", LOSSES)
@pytest.mark.parametrize("status", [200, 301, 404, 409, 418, 429, 499, 500, 501, 502, 503, 504, 599, 600])
def test_what_is_retried_by_http_status(word: str, status: int) -> None:
    policy = RetryPolicy(frozenset({word}), status_codes=frozenset({418, 503}))
    wanted = status in STATUSES.get(word, ())
    assert may_retry_request(policy, 1, status=status, headers={}) is wanted
    assert may_retry(policy, 2, 1, http_status=status) is wanted


@pytest.mark.parametrize(
    ("words", "headers", "retried"),
    [
        ({"retriable-headers"}, {"x-again": "1"}, True),
        ({"retriable-headers"}, {"x-later": "soon"}, True),
        ({"retriable-headers"}, {"x-later": "never"}, False),
        ({"retriable-headers"}, {}, False),
        ({"5xx"}, {"x-again": "1"}, False),
        ({"5xx", "retriable-headers"}, {"x-again": "1", "x-envoy-ratelimited": "true"}, False),
        ({"envoy-ratelimited"}, {"x-envoy-ratelimited": "true"}, True),
        ({"envoy-ratelimited"}, {}, False),
    ],
)
def test_what_is_retried_by_the_headers_of_the_response(
    words: set[str], headers: dict[str, str], retried: bool
) -> None:
    matches = (
        HeaderMatch("x-again", PresentMatch(True)),
        HeaderMatch("x-later", StringMatch("exact", "soon")),
    )
    policy = RetryPolicy(frozenset(words), headers=matches)
    assert may_retry_request(policy, 1, status=429, headers=headers) is retried


@pytest.mark.parametrize(("attempts", "longest"), [(1, 0.025), (3, 0.1), (5, 0.25), (5000, 0.25)])
def test_requests_back_off_with_full_jitter(attempts: int, longest: float) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    assert request_backoff(RetryPolicy(ALL_CONDITIONS), attempts, uniform) == 0.0
    assert asked == [(0.0, pytest.approx(longest))]


@pytest.mark.parametrize(("attempts", "middle"), [(1, 0.025), (2, 0.05), (3, 0.1), (4, 0.2), (5, 0.25)])
def test_back_off_doubles_to_its_cap(attempts: int, middle: float) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 1.0

    assert backoff(RetryPolicy(ALL_CONDITIONS), attempts, uniform) == pytest.approx(middle)
    assert asked == [(0.8, 1.2)]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("1500", 1.5),
        (b"1500", 1.5),
        ("-1", -1.0),
        ("", -1.0),
        ("soon", -1.0),
        ("1.5", -1.0),
        ("٣", -1.0),
        (b"\xff", -1.0),
        ("9" * 11, -1.0),
    ],
)
def test_pushback(value: str | bytes | None, seconds: float | None) -> None:
    assert pushback(value) == seconds
