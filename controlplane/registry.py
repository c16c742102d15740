"""The objects as one world: services with their endpoints, and the rules that apply to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.delegates import with_delegates
from controlplane.hosts import most_specific
from controlplane.node import Node
from controlplane.objects import (
    DestinationRule,
    Object,
    ServiceEntry,
    Subset,
    VirtualService,
    WorkloadEntry,
)
from controlplane.rules import Rules
from controlplane.services import Endpoint, Service, build_services
from controlplane.visibility import is_visible, nearness

__all__ = ["Endpoint", "Registry", "Service", "most_specific"]


class Registry:
    """An immutable index over a set of objects; everything served is a function of it and a node."""

    def __init__(self, objects: Iterable[Object]) -> None:
        things = sorted(objects, key=lambda thing: thing.meta.age)
        self.objects: tuple[Object, ...] = tuple(things)
        self.virtual_services: tuple[VirtualService, ...] = tuple(
            thing
            for thing in with_delegates(thing for thing in things if isinstance(thing, VirtualService))
            if thing.in_mesh
        )
        self._rules = Rules.of(thing for thing in things if isinstance(thing, DestinationRule))
        workloads = sorted(
            (thing for thing in things if isinstance(thing, WorkloadEntry)),
            key=lambda entry: (entry.meta.namespace, entry.meta.name),
        )
        entries = [thing for thing in things if isinstance(thing, ServiceEntry)]
        services = build_services(entries, workloads)
        self._by_host: dict[str, dict[str, Service]] = {}
        for service in sorted(services.values(), key=lambda one: one.age):
            self._by_host.setdefault(service.host, {})[service.namespace] = service
        self._labels_by_ip = _labels_by_ip(services.values())
        self._seen: dict[str, tuple[VirtualService, ...]] = {}

    @property
    def every_service(self) -> list[Service]:
        """All services, whoever sees them."""
        return [service for services in self._by_host.values() for service in services.values()]

    def services(self, namespace: str) -> list[Service]:
        """The services as a client of the namespace sees them, one a host, by host."""
        found = (self.service(host, namespace) for host in sorted(self._by_host))
        return [service for service in found if service is not None]

    def service(self, host: str, namespace: str) -> Service | None:
        """The service of a host; of several, that of the client's namespace, then the nearest and oldest."""
        seen = [one for one in self._by_host.get(host, {}).values() if is_visible(one.export_to, namespace)]
        own = [one for one in seen if one.namespace == namespace]
        nearest = sorted(seen, key=lambda one: nearness(one.export_to, one.namespace, namespace))
        return next(iter((*own, *nearest)), None)

    def virtual_services_for(self, namespace: str) -> tuple[VirtualService, ...]:
        """The VirtualServices a client of the namespace sees, in the order of who comes first for a host."""
        if namespace not in self._seen:
            seen = (one for one in self.virtual_services if is_visible(one.export_to, namespace))
            self._seen[namespace] = tuple(
                sorted(seen, key=lambda one: nearness(one.export_to, one.meta.namespace, namespace))
            )
        return self._seen[namespace]

    def rule(self, host: str, node: Node) -> DestinationRule | None:
        """The DestinationRule in force for a host, as a client sees it."""
        service = self.service(host, node.namespace)
        if service is None:
            return None
        return self._rules.rule(host, service.namespace, node.namespace, node.labels)

    def subsets(self, service: Service, namespace: str) -> tuple[Subset, ...]:
        """The subsets of a service that some client of the namespace has."""
        found: dict[str, Subset] = {}
        for rule in self._rules.candidates(service.host, service.namespace, namespace):
            for subset in rule.subsets:
                found.setdefault(subset.name, subset)
        return tuple(found.values())

    def labels_of(self, addresses: Iterable[str], namespace: str) -> Mapping[str, str] | None:
        """The labels of the workload at one of these addresses, as Istiod finds them, or None."""
        for address in addresses:
            for where, labels in self._labels_by_ip.get(address, ()):
                if not namespace or where == namespace:
                    return labels
        return None


def _labels_by_ip(services: Iterable[Service]) -> dict[str, list[tuple[str, Mapping[str, str]]]]:
    found: dict[str, list[tuple[str, Mapping[str, str]]]] = {}
    for service in services:
        for endpoint in service.endpoints:
            labels = found.setdefault(endpoint.workload.address, [])
            labels.append((service.namespace, endpoint.workload.labels))
    return found
