"""An api_listener."""

from __future__ import annotations

from dataclasses import dataclass

from .effects import FaultFilter
from .routes import RouteConfig


@dataclass(frozen=True, slots=True)
class Listener:
    """An api_listener: an HttpConnectionManager with its routes by name (RDS) or inline."""

    name: str
    route_config_name: str | None = None
    route_config: RouteConfig | None = None
    max_stream_duration: float | None = None
    faults: tuple[FaultFilter, ...] = ()
