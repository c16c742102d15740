"""What routes do to the calls that take them: retries, faults, hashes, edits of headers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .matching import Fraction, HeaderMatch


class RetryPolicy(Struct, frozen=True):
    """envoy.config.route.v3.RetryPolicy. Back-offs are seconds."""

    retry_on: frozenset[str]
    """Conditions: gRPC status codes (`unavailable` …) and Envoy's (`5xx` …); empty means no retries."""
    max_attempts: int = 2
    """With the first; gRPC calls have five at most."""
    base_interval: float = 0.025
    max_interval: float = 0.25
    per_try_timeout: float | None = None
    """Seconds one attempt may take (Envoy's per_try_timeout)."""
    status_codes: frozenset[int] = frozenset()
    """HTTP status codes that `retriable-status-codes` stands for."""
    headers: tuple[HeaderMatch, ...] = ()
    """Headers of an HTTP response, any of which `retriable-headers` stands for."""

    @property
    def retries(self) -> bool:
        """Whether there is anything it retries."""
        return bool(self.retry_on)


class FaultDelay(Struct, frozen=True):
    """A delay in seconds, for a fraction of the calls; `seconds` None takes it from the request's headers."""

    seconds: float | None
    fraction: Fraction


class FaultAbort(Struct, frozen=True):
    """A gRPC status (its number) for a fraction of the calls; None takes it from the request's headers."""

    code: int | None
    fraction: Fraction
    http: int | None = None
    """The HTTP status, where it is that which was configured."""


class FaultPolicy(Struct, frozen=True):
    """envoy.extensions.filters.http.fault.v3.HTTPFault (gRFC A33)."""

    delay: FaultDelay | None = None
    abort: FaultAbort | None = None
    max_active: int | None = None


class FaultFilter(Struct, frozen=True):
    """A fault filter by its name in the listener's chain, or an override of it further down (gRFC A39)."""

    name: str
    policy: FaultPolicy


class HashCookie(Struct, frozen=True):
    """envoy.config.route.v3.RouteAction.HashPolicy.Cookie; with `ttl` it is set where a request has none."""

    name: str
    ttl: int | None = None
    """Seconds it lives; 0 is as long as the client's session."""
    path: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Further ones of the cookie that is set; an empty value stands for a name alone."""


class HashPolicy(Struct, frozen=True):
    """What a call's hash is made of: a header, a cookie or query parameter, else the channel (gRFC A42).

    Cookies and query parameters are of HTTP requests; gRPC calls have none.
    """

    header: str | None = None
    regex: str | None = None
    substitution: str = ""
    """What replaces each match of `regex` in the header's value; \\1 to \\9 are its groups."""
    terminal: bool = False
    """The policies after it do not count once it has given a hash."""
    query: str | None = None
    cookie: HashCookie | None = None


class PathRewrite(Struct, frozen=True):
    """What becomes of a request's path: the matched prefix, or each match of a regex, is replaced."""

    prefix: str | None = None
    regex: str = ""
    substitution: str = ""
    """What replaces each match of `regex`; \\1 to \\9 are its groups."""


class HeaderEdit(Struct, frozen=True):
    """envoy.config.core.v3.HeaderValueOption; `%REQ(name)%` and `%RESP(name)%` in its value are headers."""

    how: Literal["append", "add_if_absent", "overwrite", "overwrite_if_exists"]
    name: str
    value: str
    keep_empty: bool = False


class HeaderEdits(Struct, frozen=True):
    """What one level of the configuration does to headers: it removes first, then adds in order."""

    remove: tuple[str, ...] = ()
    add: tuple[HeaderEdit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.remove or self.add)


class MessageEdits(Struct, frozen=True):
    """What one level does to the headers of requests and responses."""

    request: HeaderEdits = HeaderEdits()
    response: HeaderEdits = HeaderEdits()


NO_EDITS = MessageEdits()
