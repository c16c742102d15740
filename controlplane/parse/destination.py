"""A destination, by the rules of Istio's `validateDestination`."""

from __future__ import annotations

from controlplane import names
from controlplane.edits import Headers
from controlplane.fields import Fields
from controlplane.objects import Destination, Meta, Place
from controlplane.parse import checks
from controlplane.parse.headers import parse_headers


def parse_weighted(item: Fields, meta: Meta) -> Destination:
    """Read one entry of `route`: a destination with its weight and headers."""
    headers = parse_headers(item)
    weight = item.integer("weight")
    if weight is not None and weight < 0:
        item.error(f"weight {weight} is below 0", "weight")
    inner = item.child("destination")
    if inner is None and not item.has("destination"):
        item.error("a destination is required", "destination")
    item.close()
    return _destination(inner, item, meta, max(weight or 0, 0), headers)


def parse_destination(fields: Fields, name: str, meta: Meta) -> Destination | None:
    """Read a destination under a field, without a weight; None where it is absent."""
    inner = fields.child(name)
    return None if inner is None else _destination(inner, fields, meta)


def _destination(
    inner: Fields | None, outer: Fields, meta: Meta, weight: int = 0, headers: Headers | None = None
) -> Destination:
    if inner is None:
        return Destination("", weight=weight, headers=headers, place=Place(outer.path, outer.line))
    host = inner.string("host")
    if host == "*":
        inner.error("invalid destination host *", "host")
    else:
        checks.check(inner, "host", names.wrong_host(host))
    subset = inner.string("subset")
    if subset and not names.is_dns_label(subset):
        inner.error(f'invalid subset name "{subset}"', "subset")
    port = _port(inner)
    inner.close()
    place = Place(inner.path, inner.line_at("host"))
    return Destination(names.resolve(host, meta.namespace), subset, port, weight, headers, place)


def _port(destination: Fields) -> int:
    port = destination.child("port")
    if port is None:
        return 0
    number = port.integer("number", minimum=0)
    checks.check(port, "number", names.wrong_port(number or 0))
    port.close()
    return number or 0
