"""The objects as one world: services with their endpoints, and the rules that apply to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controlplane import names
from controlplane.names import ROOT_NAMESPACE
from controlplane.objects import (
    DestinationRule,
    Object,
    ServiceEntry,
    ServicePort,
    Subset,
    VirtualService,
    Workload,
    WorkloadEntry,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One workload behind one port of a service."""

    workload: Workload
    port_name: str
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    """A host of one namespace, merged over the ServiceEntries that give it."""

    host: str
    namespace: str
    addresses: tuple[str, ...]
    ports: tuple[ServicePort, ...]
    endpoints: tuple[Endpoint, ...]

    def port(self, number: int) -> ServicePort | None:
        """The port of that number, or None."""
        return next((port for port in self.ports if port.number == number), None)


class Registry:
    """An immutable index over a set of objects; everything served is a function of it and a node."""

    def __init__(self, objects: Iterable[Object]) -> None:
        things = sorted(objects, key=lambda thing: thing.meta.age)
        self.objects: tuple[Object, ...] = tuple(things)
        self.virtual_services: tuple[VirtualService, ...] = tuple(
            thing for thing in things if isinstance(thing, VirtualService) and thing.in_mesh
        )
        self._rules = [thing for thing in things if isinstance(thing, DestinationRule)]
        workloads = sorted(
            (thing for thing in things if isinstance(thing, WorkloadEntry)),
            key=lambda entry: (entry.meta.namespace, entry.meta.name),
        )
        entries = [thing for thing in things if isinstance(thing, ServiceEntry)]
        services = _services(entries, workloads)
        self._by_host: dict[str, dict[str, Service]] = {}
        for (namespace, host), service in sorted(services.items()):
            self._by_host.setdefault(host, {})[namespace] = service
        self._labels_by_ip = _labels_by_ip(services.values())
        self._rule_cache: dict[tuple[str, str, str], tuple[Subset, ...] | None] = {}

    def services(self, namespace: str) -> list[Service]:
        """The services as a client of the namespace sees them, one a host, by host."""
        found = (self.service(host, namespace) for host in sorted(self._by_host))
        return [service for service in found if service is not None]

    def service(self, host: str, namespace: str) -> Service | None:
        """The service of a host; where several namespaces give it, the client's own comes first."""
        by_namespace = self._by_host.get(host)
        if by_namespace is None:
            return None
        return by_namespace.get(namespace) or next(iter(by_namespace.values()))

    def subsets(self, service: Service, namespace: str) -> tuple[Subset, ...]:
        """The subsets in force for a service, as a client of the namespace sees it."""
        key = (service.host, service.namespace, namespace)
        if key not in self._rule_cache:
            self._rule_cache[key] = self._find_subsets(service, namespace)
        return self._rule_cache[key] or ()

    def _find_subsets(self, service: Service, namespace: str) -> tuple[Subset, ...] | None:
        # Istio's order: the client's namespace (unless it is the root), the service's, the root's.
        order = [service.namespace, ROOT_NAMESPACE]
        if namespace != ROOT_NAMESPACE:
            order.insert(0, namespace)
        for where in order:
            rules = [rule for rule in self._rules if rule.meta.namespace == where]
            host = most_specific(service.host, [rule.host for rule in rules])
            if host is not None:
                return _merge_subsets(rule for rule in rules if rule.host == host)
        return None

    def labels_of(self, addresses: Iterable[str], namespace: str) -> Mapping[str, str] | None:
        """The labels of the workload at one of these addresses, as Istiod finds them, or None."""
        for address in addresses:
            for where, labels in self._labels_by_ip.get(address, ()):
                if not namespace or where == namespace:
                    return labels
        return None


def most_specific(host: str, candidates: Iterable[str]) -> str | None:
    """The candidate that fits a host best: itself, or the longest wildcard that covers it."""
    found: str | None = None
    for candidate in candidates:
        if candidate == host:
            return candidate
        if names.is_wildcard(candidate) and host.endswith(candidate[1:]):
            # A wildcard host (*.a.com) is covered by shorter wildcards only.
            if names.is_wildcard(host) and len(host) < len(candidate):
                continue
            if found is None or len(candidate) > len(found):
                found = candidate
    return found


def _merge_subsets(rules: Iterable[DestinationRule]) -> tuple[Subset, ...]:
    merged: dict[str, Subset] = {}
    for rule in rules:
        for subset in rule.subsets:
            merged.setdefault(subset.name, subset)
    return tuple(merged.values())


def _services(
    entries: Iterable[ServiceEntry], workloads: Iterable[WorkloadEntry]
) -> dict[tuple[str, str], Service]:
    found: dict[tuple[str, str], Service] = {}
    pool = list(workloads)
    for entry in entries:
        if entry.selector is None:
            chosen = list(entry.endpoints)
        else:
            wanted = entry.selector.items()
            chosen = [
                one.workload
                for one in pool
                if one.meta.namespace == entry.meta.namespace and wanted <= one.workload.labels.items()
            ]
        endpoints = tuple(
            Endpoint(workload, port.name, workload.ports.get(port.name) or port.target_port or port.number)
            for workload in chosen
            if names.is_ip(workload.address)
            for port in entry.ports
        )
        for host in entry.hosts:
            key = (entry.meta.namespace, host)
            before = found.get(key)
            found[key] = (
                Service(host, entry.meta.namespace, entry.addresses, entry.ports, endpoints)
                if before is None
                # The oldest entry says what the service is; later ones for its host add endpoints.
                else Service(
                    host, before.namespace, before.addresses, before.ports, (*before.endpoints, *endpoints)
                )
            )
    return found


def _labels_by_ip(services: Iterable[Service]) -> dict[str, list[tuple[str, Mapping[str, str]]]]:
    found: dict[str, list[tuple[str, Mapping[str, str]]]] = {}
    for service in services:
        for endpoint in service.endpoints:
            labels = found.setdefault(endpoint.workload.address, [])
            labels.append((service.namespace, endpoint.workload.labels))
    return found
