"""WorkloadEntry and inline endpoints, by the rules of Istio's `validateWorkloadEntry`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import Meta, Workload, WorkloadEntry
from controlplane.parse import checks


def parse_workloadentry(meta: Meta, spec: Fields) -> WorkloadEntry:
    """Read the `spec` of a WorkloadEntry; labels of its metadata win over those of its spec."""
    workload = parse_workload(spec, None)
    labels = {**workload.labels, **meta.labels}
    return WorkloadEntry(meta, replace(workload, labels=labels, name=meta.name, namespace=meta.namespace))


def parse_workload(
    spec: Fields, service_ports: Collection[str] | None, *, may_be_name: bool = True
) -> Workload:
    """Read one endpoint; `service_ports` are the port names an inline endpoint may use."""
    address = spec.string("address")
    if not address and not spec.string("network"):
        spec.error("an address is required", "address")
    elif not address:
        spec.warn("without an address it is reached through a gateway of its network only", "network")
    elif address.startswith("unix://"):
        _check_unix(spec, address.removeprefix("unix://"), service_ports)
    elif not names.is_ip(address) and (not may_be_name or names.wrong_fqdn(address)):
        spec.error(f'"{address}" is not a valid IP address', "address")
    elif not names.is_ip(address):
        # Istio keeps it for services resolved by DNS and leaves it out of EDS.
        spec.warn(f'"{address}" is a name; only IP addresses become endpoints', "address")
    ports: dict[str, int] = {}
    if inner := spec.child("ports"):
        for name in inner.names():
            number = inner.integer(name)
            if service_ports is not None and name not in service_ports:
                inner.error(f'the service entry has no port named "{name}"', name)
            elif not names.is_dns_label(name):
                inner.error(f'invalid port name "{name}"', name)
            if number is None:
                if not inner.has(name):
                    inner.error("a port number is required", name)
                continue
            checks.check(inner, name, names.wrong_port(number))
            ports[name] = number
    labels = checks.check_labels(spec, "labels")
    locality = spec.string("locality")
    weight = spec.integer("weight", minimum=0, maximum=2**32 - 1) or 0
    spec.string("network")
    account = spec.string("serviceAccount")
    spec.close()
    return Workload(address, ports, labels, locality, weight, service_account=account)


def _check_unix(spec: Fields, path: str, service_ports: Collection[str] | None) -> None:
    if service_ports is not None and len(service_ports) != 1:
        spec.error("a unix address needs a service of exactly one port", "address")
    if not path or (not path.startswith("@") and (not path.startswith("/") or path.endswith("/"))):
        spec.error("must be the absolute path of a socket, or an abstract name with @", "address")
    if spec.has("ports"):
        spec.error("a unix address has no ports", "ports")
    spec.warn("a unix address is no endpoint for a client of another pod", "address")
