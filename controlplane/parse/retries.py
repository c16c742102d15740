"""The `retries` of an HTTP route, by the rules of Istio's `ValidateHTTPRetry`."""

from __future__ import annotations

from http import HTTPStatus

from controlplane.fields import Fields
from controlplane.objects import Retries

_RETRY_ON = frozenset(
    (
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    )
)


def is_http_status(text: str) -> bool:
    """Whether the text is the number of a known HTTP status."""
    if not text.isascii() or not text.isdigit():
        return False
    try:
        HTTPStatus(int(text))
    except ValueError:
        return False
    return True


def parse_retries(route: Fields) -> Retries | None:
    """Read `retries`; None where it is absent, and Istio's default applies."""
    retries = route.child("retries")
    if retries is None:
        return None
    attempts = retries.integer("attempts") or 0
    if attempts < 0:
        retries.error("attempts cannot be negative", "attempts")
    for name in ("perTryTimeout", "retryOn", "retryRemoteLocalities"):
        if attempts == 0 and retries.has(name):
            retries.error("set while attempts is 0, which turns retries off", name)
    retry_on = retries.string("retryOn")
    for policy in retry_on.split(",") if retry_on else ():
        if policy not in _RETRY_ON and not is_http_status(policy):
            retries.error(f'"{policy}" is not a valid retryOn policy', "retryOn")
    found = Retries(
        attempts=attempts,
        per_try_timeout=retries.duration("perTryTimeout"),
        retry_on=retry_on,
        retry_remote_localities=retries.boolean("retryRemoteLocalities"),
        retry_ignore_previous_hosts=retries.boolean("retryIgnorePreviousHosts"),
        backoff=retries.duration("backoff"),
    )
    retries.close()
    return found
