"""Endpoints of other places: weights and priorities by `localityLbSetting`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane import localities
from controlplane.node import Node
from controlplane.registry import Endpoint
from controlplane.trafficpolicy import LocalitySetting, TrafficPolicy


@dataclass(slots=True, eq=False)
class Group:
    """The endpoints of one place, for one priority."""

    locality: str
    endpoints: list[Endpoint]
    priority: int = 0
    weight: int = field(default=0)

    def __post_init__(self) -> None:
        self.weight = self.weight or sum(endpoint.workload.weight or 1 for endpoint in self.endpoints)


def arrange(groups: list[Group], policy: TrafficPolicy | None, node: Node) -> list[Group]:
    """The groups as a client at its place is to use them.

    Without outlier detection nothing stands by: no client would notice that it should fail over.
    """
    setting = policy.load_balancer.locality if policy and policy.load_balancer else None
    if setting is None:
        setting = LocalitySetting()
    if not setting.enabled:
        return groups
    if setting.distribute:
        return _distribute(groups, setting, node)
    if policy is None or not policy.outlier_detection:
        return groups
    if setting.failover_priority:
        groups = _by_labels(groups, setting.failover_priority, node.labels)
    if setting.failover or not setting.failover_priority:
        _by_place(groups, setting, node)
    return groups


def _distribute(groups: list[Group], setting: LocalitySetting, node: Node) -> list[Group]:
    for where, shares in setting.distribute:
        if not _is_in(node.locality, where):
            continue
        left = list(groups)
        for there, share in shares.items():
            met = [group for group in left if _is_in(group.locality, there)]
            left = [group for group in left if group not in met]
            total = sum(group.weight for group in met)
            for group in met:
                group.weight = math.ceil(group.weight * share / total)
        for group in left:
            group.endpoints = []
        break
    return groups


def _is_in(locality: str, rule: str) -> bool:
    mine, wanted = localities.split(locality), localities.split(rule)
    return wanted[0] in ("*", mine[0]) and all(
        want in ("", "*", have) for have, want in zip(mine[1:], wanted[1:], strict=True)
    )


def _by_place(groups: list[Group], setting: LocalitySetting, node: Node) -> None:
    """The same sub-zone first, then zone, region, the region failed over to, and the rest."""
    mine = localities.split(node.locality)
    for group in groups:
        theirs = localities.split(group.locality)
        same = next((i for i in range(3) if mine[i] != theirs[i]), 3)
        priority = 3 - same
        if priority == 3:
            for one, other in setting.failover:
                if one == mine[0]:
                    priority = 3 if theirs[0] == other else 4
                    break
        group.priority = group.priority * 5 + priority
    _close_gaps(groups)


def _by_labels(groups: list[Group], order: tuple[str, ...], labels: Mapping[str, str]) -> list[Group]:
    """Whoever shares more of the first labels with the client goes first; a label may name its own value."""
    if not labels:
        return groups
    wanted = [entry.partition("=") for entry in order]
    found = []
    for group in groups:
        by_priority: dict[int, list[Endpoint]] = {}
        for endpoint in group.endpoints:
            priority = 0
            for place, (label, sign, value) in enumerate(wanted):
                mine = value if sign else labels.get(label, "")
                if mine != endpoint.workload.labels.get(label, ""):
                    priority = len(wanted) - place
                    break
            by_priority.setdefault(priority, []).append(endpoint)
        found += [Group(group.locality, each, priority) for priority, each in sorted(by_priority.items())]
    _close_gaps(found)
    return found


def _close_gaps(groups: list[Group]) -> None:
    order = sorted({group.priority for group in groups})
    for group in groups:
        group.priority = order.index(group.priority)
