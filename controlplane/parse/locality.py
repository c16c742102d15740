"""`localityLbSetting`, by the rules of Istio's `ValidateLocalityLbSetting`."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.fields import Fields
from controlplane.trafficpolicy import LocalitySetting

_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


def parse_locality(balancer: Fields, *, has_outlier: bool) -> LocalitySetting | None:
    """Read `localityLbSetting`; None where it is absent."""
    setting = balancer.child("localityLbSetting")
    if setting is None:
        return None
    found = LocalitySetting(
        enabled=setting.boolean("enabled") is not False,
        distribute=tuple(_distribute(item) for item in setting.children("distribute")),
        failover=tuple(_failover(item) for item in setting.children("failover")),
        failover_priority=setting.strings("failoverPriority"),
    )
    if found.distribute and found.failover:
        setting.error("cannot stand beside distribute", "failover")
    if found.failover and any(label in _TOPOLOGY for label in found.failover_priority):
        setting.error("cannot name a topology label beside failover", "failoverPriority")
    if wrong := _overlap([where for where, _ in found.distribute]):
        setting.error(wrong, "distribute")
    if (found.failover or found.failover_priority) and not has_outlier:
        setting.warn("without outlierDetection no call fails over")
    setting.close()
    return found


def _distribute(item: Fields) -> tuple[str, Mapping[str, int]]:
    where, to = item.string("from"), {}
    if inner := item.child("to"):
        for name in inner.names():
            to[name] = inner.integer(name, minimum=1, maximum=100) or 0
    if sum(to.values()) != 100:
        item.error(f"the weights add up to {sum(to.values())}, not to 100", "to")
    elif wrong := _overlap(list(to)):
        item.error(wrong, "to")
    item.close()
    return where, to


def _failover(item: Fields) -> tuple[str, str]:
    one, other = item.string("from"), item.string("to")
    if one == other:
        item.error("must be another region", "to")
    for name, text in (("from", one), ("to", other)):
        if "/" in text or "*" in text:
            item.error("must be a region alone", name)
    item.close()
    return one, other


def _overlap(localities: list[str]) -> str | None:
    """Why the localities cannot stand beside one another, or None."""
    seen: list[list[str]] = []
    for locality in localities:
        if "*" in locality[:-1]:
            return f'"{locality}" may have one *, at its end'
        parts = locality.split("/")
        if not all(parts):
            return f'"{locality}" has an empty part'
        stem = parts[:-1] if parts[-1] == "*" else parts
        for other in seen:
            if stem[: len(other)] == other or other[: len(stem)] == stem:
                return f'"{locality}" overlaps with one before it'
        seen.append(stem)
    return None
