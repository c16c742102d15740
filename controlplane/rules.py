"""DestinationRules merged by host, and which of them holds for a client (Istio's destinationRule index)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controlplane.hosts import most_specific
from controlplane.names import ROOT_NAMESPACE
from controlplane.objects import DestinationRule, Subset
from controlplane.visibility import is_visible

_Lists = dict[str, list[DestinationRule]]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of every namespace: for its own clients, and for those of others."""

    local: Mapping[str, _Lists]
    exported: Mapping[str, _Lists]
    private_of_root: _Lists

    @staticmethod
    def of(things: Iterable[DestinationRule]) -> Rules:
        """An index over rules, the oldest first; those with a selector go before the others."""
        local: dict[str, _Lists] = {}
        exported: dict[str, _Lists] = {}
        private_of_root: _Lists = {}
        for thing in sorted(things, key=lambda one: (one.selector is None, one.meta.age)):
            namespace = thing.meta.namespace
            own = (namespace,) if thing.selector is not None else thing.export_to
            thing = replace(thing, export_to=own)
            if is_visible(own, namespace):
                _add(local.setdefault(namespace, {}), thing)
            if own != (namespace,):
                _add(exported.setdefault(namespace, {}), thing)
            elif namespace == ROOT_NAMESPACE:
                _add(private_of_root, thing)
        return Rules(local, exported, private_of_root)

    def candidates(self, host: str, service_namespace: str, namespace: str) -> list[DestinationRule]:
        """The rules for a host as clients of a namespace see it; selectors decide between them."""
        near = self.private_of_root if namespace == ROOT_NAMESPACE else self.local.get(namespace, {})
        if best := most_specific(host, near):
            return near[best]
        for where in (service_namespace, ROOT_NAMESPACE):
            far = self.exported.get(where, {})
            best = most_specific(host, far)
            found = [one for one in far[best] if is_visible(one.export_to, namespace)] if best else []
            if found:
                return found
        return []

    def rule(
        self, host: str, service_namespace: str, namespace: str, labels: Mapping[str, str]
    ) -> DestinationRule | None:
        """The rule in force for a host and a client, or None."""
        general = None
        for one in self.candidates(host, service_namespace, namespace):
            if one.selector is None:
                general = one
            elif one.meta.namespace == namespace and one.selector.items() <= labels.items():
                return one
        return general


def _add(lists: _Lists, thing: DestinationRule) -> None:
    """Put a rule in, or merge it into one of its host (Istio's `mergeDestinationRule`)."""
    known = lists.setdefault(thing.host, [])
    stands_alone = True
    for index, other in enumerate(known):
        if set(thing.export_to) == set(other.export_to):
            stands_alone = False
        elif other.export_to and set(thing.export_to) >= set(other.export_to):
            stands_alone = True
        else:
            stands_alone = True
            continue
        both = thing.selector is not None and other.selector is not None
        if both and dict(thing.selector or {}) != dict(other.selector or {}):
            stands_alone = True
            continue
        if both or (thing.selector is None and other.selector is None):
            stands_alone = False
        known[index] = replace(
            other, subsets=_merge(other.subsets, thing.subsets), policy=other.policy or thing.policy
        )
    if stands_alone:
        known.append(thing)


def _merge(first: Iterable[Subset], more: Iterable[Subset]) -> tuple[Subset, ...]:
    merged: dict[str, Subset] = {}
    for subset in (*first, *more):
        merged.setdefault(subset.name, subset)
    return tuple(merged.values())
