"""DestinationRule, by the rules of Istio's `ValidateDestinationRule`."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import DestinationRule, Meta, Place, Subset
from controlplane.parse import checks
from controlplane.parse.exports import parse_exports
from controlplane.parse.trafficpolicy import parse_traffic_policy


def parse_destinationrule(meta: Meta, spec: Fields) -> DestinationRule:
    """Read the `spec` of a DestinationRule."""
    host = spec.string("host")
    checks.check(spec, "host", names.wrong_host(host))
    policy = parse_traffic_policy(spec, meta.namespace)
    subsets: list[Subset] = []
    for item in spec.children("subsets"):
        subset = _subset(item, meta.namespace)
        if subset.name and any(subset.name == other.name for other in subsets):
            item.error(f'duplicate subset name "{subset.name}"', "name")
        subsets.append(subset)
    selector = _selector(spec)
    export_to = parse_exports(spec, meta.namespace, is_selected=selector is not None)
    spec.close()
    return DestinationRule(
        meta=meta,
        host=names.resolve(host, meta.namespace),
        subsets=tuple(subsets),
        policy=policy,
        export_to=export_to,
        selector=selector,
        host_place=Place(spec.at("host"), spec.line_at("host")),
    )


def _selector(spec: Fields) -> Mapping[str, str] | None:
    selector = spec.child("workloadSelector")
    if selector is None:
        return None
    labels = selector.string_map("matchLabels")
    if inner := selector.child("matchLabels"):
        for key, value in labels.items():
            if not key or "*" in key or "*" in value:
                inner.error("an empty key and wildcards are not allowed in a workload selector", key)
    if not labels:
        selector.warn("without matchLabels it selects every workload of the namespace")
    selector.close()
    return labels


def _subset(item: Fields, namespace: str) -> Subset:
    name = item.string("name")
    if not name:
        item.error("a subset needs a name", "name")
    elif not names.is_dns_label(name):
        item.error(f'invalid subset name "{name}"', "name")
    labels = checks.check_labels(item, "labels")
    policy = parse_traffic_policy(item, namespace)
    item.close()
    return Subset(name, labels, policy, Place(item.path, item.line))
