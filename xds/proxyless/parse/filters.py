"""HTTP filters: the chain of a listener and its overrides further down (gRFCs A39, A33)."""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault

from ..errors import ResourceError
from ..resources import FaultAbort, FaultDelay, FaultFilter, FaultPolicy, Fraction
from .scalars import duration, fraction, type_name, unpack
from .support import Notes, check_fields, one_of

ROUTER = "envoy.extensions.filters.http.router.v3.Router"
FAULT = "envoy.extensions.filters.http.fault.v3.HTTPFault"
CORS = "envoy.extensions.filters.http.cors.v3.CorsPolicy"
_FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"

_GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
"""https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md; anything else is UNKNOWN."""


def parse_chain(filters: Any, where: str, notes: Notes) -> tuple[FaultFilter, ...]:
    """Check a listener's `http_filters` and return the fault filters among them.

    Raises ResourceError for an unknown filter that is not optional, two filters of one name, and a chain
    whose last filter is not the router (gRFC A39), or a router that is disabled (Envoy).
    """
    faults: list[FaultFilter] = []
    names: set[str] = set()
    last = ""
    for i, each in enumerate(filters):
        at = f"{where}[{i}]"
        check_fields(each, at, notes)
        if not each.name:
            raise ResourceError(f"{at}.name", "is empty")
        if each.name in names:
            raise ResourceError(f"{at}.name", f"{each.name!r} is used twice")
        names.add(each.name)
        kind = type_name(each.typed_config, f"{at}.typed_config")
        if kind not in (FAULT, ROUTER):
            if not each.is_optional:
                raise ResourceError(at, f"filter {each.name!r} ({kind or 'no type'}) is not supported")
            notes.add(at, f"optional filter {each.name!r} ({kind}) is left out")
            continue
        if kind == ROUTER and each.disabled:
            raise ResourceError(f"{at}.disabled", "the router cannot be disabled")
        if last == ROUTER:
            raise ResourceError(at, f"{each.name!r} stands behind the router, which must be the last filter")
        if kind == FAULT:
            policy = _parse_fault(unpack(each.typed_config, HTTPFault, f"{at}.typed_config"), at, notes)
            # A disabled one is in the chain all the same: an override brings it back (Envoy).
            faults.append(FaultFilter(each.name, FaultPolicy() if each.disabled else policy))
        last = kind
    if last != ROUTER:
        raise ResourceError(where, "the last HTTP filter must be the router")
    return tuple(faults)


def parse_overrides(configs: Any, where: str, notes: Notes) -> tuple[FaultFilter, ...]:
    """Return the fault overrides in a `typed_per_filter_config` map (gRFC A39)."""
    faults: list[FaultFilter] = []
    for name in sorted(configs):
        packed, optional, at = configs[name], False, f"{where}[{name!r}]"
        if type_name(packed, at) == _FILTER_CONFIG:
            wrapper = unpack(packed, FilterConfig, at)
            if wrapper.disabled:
                faults.append(FaultFilter(name, FaultPolicy()))
                continue
            packed, optional = wrapper.config, wrapper.is_optional
        kind = type_name(packed, at)
        if kind == FAULT:
            faults.append(FaultFilter(name, _parse_fault(unpack(packed, HTTPFault, at), at, notes)))
        elif optional:
            notes.add(at, f"optional override ({kind}) is left out")
        elif kind == CORS:
            # Istiod sends it to everyone. It tells browsers what they may read and changes no call of ours;
            # gRPC's own client refuses the whole table for it.
            notes.add(at, "has no effect here: CORS is for browsers")
        else:
            raise ResourceError(at, f"override of a filter that is not supported ({kind or 'no type'})")
    return tuple(faults)


_NARROWING = ("upstream_cluster", "headers", "downstream_nodes")
"""What makes a fault hit some calls only: without it the fault would hit the others too."""


def _parse_fault(message: Any, where: str, notes: Notes) -> FaultPolicy:
    for name in _NARROWING:
        if getattr(message, name):
            raise ResourceError(f"{where}.{name}", "is not supported, and without it more calls would fail")
    check_fields(message, where, notes)
    delay = abort = None
    if message.HasField("delay"):
        at = f"{where}.delay"
        check_fields(message.delay, at, notes)
        which = one_of(
            message.delay, "fault_delay_secifier", at, ("fixed_delay", "header_delay")
        )  # the misspelling is Envoy's
        seconds = duration(message.delay.fixed_delay, f"{at}.fixed_delay") if which == "fixed_delay" else None
        delay = FaultDelay(seconds, _percentage(message.delay, at))
    if message.HasField("abort"):
        at = f"{where}.abort"
        check_fields(message.abort, at, notes)
        which = one_of(message.abort, "error_type", at, ("http_status", "grpc_status", "header_abort"))
        code: int | None = None
        http: int | None = None
        if which == "grpc_status":
            code = message.abort.grpc_status
            if code > 16:
                raise ResourceError(f"{at}.grpc_status", f"{code} is not a gRPC status")
        elif which == "http_status":
            http = message.abort.http_status
            if not 200 <= http < 600:
                raise ResourceError(f"{at}.http_status", f"{http} is not in [200, 600)")
            code = 0 if http == 200 else _GRPC_OF_HTTP.get(http, 2)
        abort = FaultAbort(code, _percentage(message.abort, at), http)
    limit = message.max_active_faults.value if message.HasField("max_active_faults") else None
    return FaultPolicy(delay, abort, limit)


def _percentage(message: Any, where: str) -> Fraction:
    if not message.HasField("percentage"):
        return Fraction(0)
    return fraction(message.percentage, f"{where}.percentage")
