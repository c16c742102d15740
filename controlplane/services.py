"""ServiceEntries and WorkloadEntries as services with endpoints, a host and namespace each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from controlplane import localities, names
from controlplane.objects import ServiceEntry, ServicePort, Workload, WorkloadEntry


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
    export_to: tuple[str, ...] = ()
    age: tuple[str, str, str] = ("", "", "")

    @property
    def identities(self) -> tuple[str, ...]:
        """The SPIFFE identities its endpoints may have."""
        accounts = sorted({one.workload.service_account for one in self.endpoints} - {""})
        return tuple(f"spiffe://cluster.local/ns/{self.namespace}/sa/{account}" for account in accounts)

    def port(self, number: int) -> ServicePort | None:
        """The port of that number, or None."""
        return next((port for port in self.ports if port.number == number), None)


def build_services(
    entries: Iterable[ServiceEntry], workloads: Iterable[WorkloadEntry]
) -> dict[tuple[str, str], Service]:
    """The services by namespace and host."""
    found: dict[tuple[str, str], Service] = {}
    pool = list(workloads)
    for entry in entries:
        endpoints = tuple(
            Endpoint(workload, port.name, workload.ports.get(port.name) or port.target_port or port.number)
            for workload in _chosen(entry, pool)
            if names.is_ip(workload.address)
            for port in entry.ports
        )
        # Istio makes a service of each address, and each brings the endpoints along.
        endpoints *= max(len(entry.addresses), 1)
        for host in entry.hosts:
            key = (entry.meta.namespace, host)
            if key not in found:
                age = (entry.meta.created, host, entry.meta.namespace)
                found[key] = Service(
                    host, entry.meta.namespace, entry.addresses, entry.ports, endpoints, entry.export_to, age
                )
            else:
                # The oldest entry says what the service is; later ones for its host add endpoints.
                found[key] = replace(found[key], endpoints=(*found[key].endpoints, *endpoints))
    return found


def _chosen(entry: ServiceEntry, pool: list[WorkloadEntry]) -> list[Workload]:
    if entry.resolution != "STATIC":
        return []
    if entry.selector is None:
        return [_placed(workload) for workload in entry.endpoints]
    wanted = entry.selector.items()
    return [
        _placed(one.workload)
        for one in pool
        if one.meta.namespace == entry.meta.namespace and wanted <= one.workload.labels.items()
    ]


def _placed(workload: Workload) -> Workload:
    """The workload with its locality, and with the labels Istio derives from where it is."""
    locality = workload.locality or localities.of_label(workload.labels)
    return replace(workload, locality=locality, labels=localities.augmented(workload.labels, locality))
