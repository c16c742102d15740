"""`mirror` and `mirrors`, by the rules of Istio's `validateHTTPRoute` and `validateHTTPMirrors`."""

from __future__ import annotations

from controlplane.fields import Fields
from controlplane.objects import Meta, Mirror
from controlplane.parse.destination import parse_destination


def parse_mirror(route: Fields, meta: Meta) -> Mirror | None:
    """Read `mirror` with its percentage; None where it is absent."""
    millionths = _share(route, "mirrorPercentage")
    percent = route.integer("mirrorPercent", minimum=0, maximum=2**32 - 1)
    if percent is not None:
        route.warn("is deprecated; write mirrorPercentage", "mirrorPercent")
        if percent > 100:
            route.error(f"{percent} is above 100", "mirrorPercent")
    destination = parse_destination(route, "mirror", meta)
    return None if destination is None else Mirror(destination, millionths, percent)


def parse_mirrors(route: Fields, meta: Meta) -> tuple[Mirror, ...]:
    """Read `mirrors`."""
    found = []
    for item in route.children("mirrors"):
        destination = parse_destination(item, "destination", meta)
        if destination is None:
            item.error("a destination is required", "destination" if item.has("destination") else "")
        millionths = _share(item, "percentage")
        item.close()
        if destination is not None:
            found.append(Mirror(destination, millionths))
    return tuple(found)


def _share(fields: Fields, name: str) -> int | None:
    percentage = fields.child(name)
    if percentage is None:
        return None
    value = percentage.number("value") or 0.0
    if not 0 <= value <= 100:
        percentage.error(f"{value:g} is not in the range 0 to 100", "value")
    percentage.close()
    # Truncated, not rounded: uint32(value * 10000) in Istio. What is above 0 and gets lost counts as given.
    return max(int(value * 10_000), 0)
