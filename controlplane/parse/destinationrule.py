"""DestinationRule, by the rules of Istio's `ValidateDestinationRule`."""

from __future__ import annotations

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import DestinationRule, Meta, Place, Subset
from controlplane.parse import checks


def parse_destinationrule(meta: Meta, spec: Fields) -> DestinationRule:
    """Read the `spec` of a DestinationRule."""
    host = spec.string("host")
    checks.check(spec, "host", names.wrong_host(host))
    spec.unserved("trafficPolicy", "workloadSelector")
    subsets: list[Subset] = []
    for item in spec.children("subsets"):
        subset = _subset(item)
        if subset.name and any(subset.name == other.name for other in subsets):
            item.error(f'duplicate subset name "{subset.name}"', "name")
        subsets.append(subset)
    checks.export_to(spec)
    spec.close()
    return DestinationRule(
        meta=meta,
        host=names.resolve(host, meta.namespace).lower(),
        subsets=tuple(subsets),
        host_place=Place(spec.at("host"), spec.line_at("host")),
    )


def _subset(item: Fields) -> Subset:
    name = item.string("name")
    if not name:
        item.error("a subset needs a name", "name")
    elif not names.is_dns_label(name):
        item.error(f'invalid subset name "{name}"', "name")
    labels = checks.check_labels(item, "labels")
    item.unserved("trafficPolicy")
    item.close()
    return Subset(name, labels, Place(item.path, item.line))
