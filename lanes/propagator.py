"""Baggage for OpenTelemetry: the lane's library reads and writes the header, in the propagator's place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points

from opentelemetry import baggage as otel_baggage
from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators import textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import CarrierT, TextMapPropagator

from lanes.baggage import HEADER
from lanes.context import current, outgoing


class LaneBaggagePropagator(TextMapPropagator):
    """Stands where W3CBaggagePropagator would, which would rewrite the members of others and undo the lane's.

    What came in is what the request being served carries, since only that has passed the door.
    """

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: textmap.Getter[CarrierT] = textmap.default_getter,
    ) -> Context:
        """The context with the members that the current request carries."""
        context = otel_baggage.clear(context)
        for key, value in current().members:
            context = otel_baggage.set_baggage(key, value, context)
        return context

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: textmap.Setter[CarrierT] = textmap.default_setter,
    ) -> None:
        """Write the header where the carrier has none yet; what a caller set itself is left as it is."""
        if HEADER in carrier:  # type: ignore[operator]  # every carrier there is is a mapping
            return
        header = next((value for key, value in outgoing(context) if key == HEADER), None)
        if header:
            setter.set(carrier, HEADER, header)

    @property
    def fields(self) -> set[str]:
        """The one header that is written."""
        return {HEADER}


class Propagators(CompositePropagator):
    """Those that OTEL_PROPAGATORS names, with the lane's in the place of the one for baggage, and always."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        named = environ.get("OTEL_PROPAGATORS", "").strip() or "tracecontext,baggage"
        names = dict.fromkeys(name.strip() for name in named.split(","))
        found = [] if "none" in names else [_load(name) for name in names if name not in ("", "baggage")]
        super().__init__([*found, LaneBaggagePropagator()])


def install() -> None:
    """Make these OpenTelemetry's, in this process, from its environment; once is enough."""
    if not isinstance(propagate.get_global_textmap(), Propagators):
        propagate.set_global_textmap(Propagators())


def _load(name: str) -> TextMapPropagator:
    for point in entry_points(group="opentelemetry_propagator", name=name):
        found: TextMapPropagator = point.load()()
        return found
    raise ValueError(f"OTEL_PROPAGATORS: there is no propagator {name!r}")
