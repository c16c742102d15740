"""LDS: the api_listener a gRPC client reads (gRFCs A27, A39, A41)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from ..errors import ResourceError
from ..resources import Listener
from ..steps import Steps
from .before import Before
from .filters import parse_chain
from .routes import ROUTE_CONFIG, parse_route_config
from .scalars import duration, from_ads, type_name, unpack
from .support import Notes, check_fields, one_of

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def parse_listener(
    message: Any, _: Sequence[bytes], notes: Notes, __: Before | None = None
) -> Steps[Listener]:
    """Validate a Listener: it needs an api_listener with an HttpConnectionManager."""
    check_fields(message, "", notes)
    where = "api_listener.api_listener"
    if not message.HasField("api_listener"):
        raise ResourceError("api_listener", "is missing: a gRPC client cannot use a socket listener")
    packed = message.api_listener.api_listener
    if type_name(packed, where) != _HCM:
        raise ResourceError(where, f"expected an HttpConnectionManager, found {packed.type_url!r}")
    hcm = unpack(packed, HttpConnectionManager, where)
    check_fields(hcm, where, notes)
    if hcm.xff_num_trusted_hops:
        raise ResourceError(f"{where}.xff_num_trusted_hops", "must be 0 (gRFC A41)")
    if hcm.original_ip_detection_extensions:
        raise ResourceError(f"{where}.original_ip_detection_extensions", "must be empty (gRFC A41)")
    faults = parse_chain(hcm.http_filters, f"{where}.http_filters", notes)
    limit = None
    if hcm.HasField("common_http_protocol_options"):
        options = hcm.common_http_protocol_options
        check_fields(options, f"{where}.common_http_protocol_options", notes)
        if options.HasField("max_stream_duration"):
            limit = duration(
                options.max_stream_duration, f"{where}.common_http_protocol_options.max_stream_duration"
            )
    if one_of(hcm, "route_specifier", where, ("rds", "route_config")) == "route_config":
        within = f"{where}.route_config"
        opened, hosts = yield from ROUTE_CONFIG.opening(hcm.route_config.SerializeToString(), within)
        config = yield from parse_route_config(opened, hosts, notes, where=within)
        return Listener(message.name, None, config, limit, faults)
    from_ads(hcm.rds.config_source, f"{where}.rds.config_source", notes)
    if not hcm.rds.route_config_name:
        raise ResourceError(f"{where}.rds.route_config_name", "is empty")
    return Listener(message.name, hcm.rds.route_config_name, None, limit, faults)
