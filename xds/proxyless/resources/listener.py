"""An api_listener."""

from __future__ import annotations

from msgspec import Struct

from .effects import FaultFilter
from .routes import RouteConfig


class Listener(Struct, frozen=True):
    """An api_listener: an HttpConnectionManager with its routes by name (RDS) or inline."""

    name: str
    route_config_name: str | None = None
    route_config: RouteConfig | None = None
    max_stream_duration: float | None = None
    faults: tuple[FaultFilter, ...] = ()
