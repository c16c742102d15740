"""The hash of a call or request, by which ring hash picks (gRFC A42; Envoy's RouteAction.HashPolicy)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from xxhash import xxh64_intdigest

from ..resources import HashCookie, HashPolicy
from ..substitution import substituting

_BITS = 2**64 - 1


def call_hash(
    policies: Sequence[HashPolicy],
    header: Callable[[str], str | None],
    channel: int,
    *,
    query: Mapping[str, str] | None = None,
    make_cookie: Callable[[HashCookie], str] | None = None,
) -> int | None:
    """Combine what the policies give; None where none of them gives anything.

    `header` looks a header's value up, `channel` is the number of the channel. An HTTP request has a `query`,
    and `make_cookie` gives it the value of a cookie that it is to get.
    """
    combined: int | None = None
    for policy in policies:
        if policy.cookie is not None:
            each = None if make_cookie is None else _of_cookie(policy.cookie, header("cookie"), make_cookie)
        elif policy.query is not None:
            each = _of_text(None if query is None else query.get(policy.query))
        else:
            each = channel if policy.header is None else _of_header(policy, header(policy.header))
        if each is not None:
            rotated = 0 if combined is None else ((combined << 1) | (combined >> 63)) & _BITS
            combined = rotated ^ each
        if policy.terminal and combined is not None:
            break
    return combined


def _of_header(policy: HashPolicy, value: str | None) -> int | None:
    if value is not None and policy.regex is not None:
        value = substituting(policy.regex, policy.substitution)(value)
    return _of_text(value)


def _of_cookie(
    cookie: HashCookie, header: str | None, make_cookie: Callable[[HashCookie], str]
) -> int | None:
    value = _value_of(cookie.name, header or "")
    if not value and cookie.ttl is not None:
        value = make_cookie(cookie)
    return _of_text(value or None)


def _value_of(name: str, header: str) -> str:
    """The first cookie of this name, without quotes around it; empty where there is none."""
    for pair in header.split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return ""


def _of_text(value: str | None) -> int | None:
    return None if value is None else int(xxh64_intdigest(value.encode("utf-8", "surrogateescape")))


def set_cookie(cookie: HashCookie, value: str) -> str:
    """Return the `set-cookie` that a response gets, as Envoy writes it."""
    parts = [f'{cookie.name}="{value}"']
    if cookie.ttl:
        parts.append(f"Max-Age={cookie.ttl}")
    if cookie.path:
        parts.append(f"Path={cookie.path}")
    parts += [f"{name}={text}" if text else name for name, text in cookie.attributes]
    return "; ".join([*parts, "HttpOnly"])
