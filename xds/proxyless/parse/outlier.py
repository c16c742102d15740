"""Outlier detection (gRFC A50; the consecutive failures are Envoy's)."""

from __future__ import annotations

from typing import Any

from ..errors import ResourceError
from ..resources import OutlierDetection
from .scalars import duration
from .support import Notes, check_fields

_DURATIONS = ("interval", "base_ejection_time", "max_ejection_time")
_PERCENTAGES = (
    "max_ejection_percent",
    "enforcing_success_rate",
    "failure_percentage_threshold",
    "enforcing_failure_percentage",
    "enforcing_consecutive_5xx",
    "enforcing_consecutive_gateway_failure",
)
_NUMBERS = (
    "success_rate_stdev_factor",
    "success_rate_minimum_hosts",
    "success_rate_request_volume",
    "failure_percentage_minimum_hosts",
    "failure_percentage_request_volume",
    "consecutive_5xx",
    "consecutive_gateway_failure",
)


def parse_outlier_detection(message: Any, where: str, notes: Notes) -> OutlierDetection:
    """Validate an OutlierDetection; what it leaves out has Envoy's defaults."""
    check_fields(message, where, notes)
    given: dict[str, Any] = {}
    for name in _DURATIONS:
        if message.HasField(name):
            given[name] = duration(getattr(message, name), f"{where}.{name}")
    for name in (*_PERCENTAGES, *_NUMBERS):
        if message.HasField(name):
            given[name] = value = getattr(message, name).value
            if name in _PERCENTAGES and value > 100:
                raise ResourceError(f"{where}.{name}", f"{value} is above 100")
    if given.get("interval") == 0:
        raise ResourceError(f"{where}.interval", "must be above 0")
    if "interval" in given:
        given["interval"] = max(given["interval"], 0.001)  # Envoy's timers have no shorter one either
    return OutlierDetection(**given)
