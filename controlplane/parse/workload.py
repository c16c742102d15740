"""WorkloadEntry and inline endpoints, by the rules of Istio's `validateWorkloadEntry`."""

from __future__ import annotations

from collections.abc import Collection

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import Meta, Workload, WorkloadEntry
from controlplane.parse import checks


def parse_workloadentry(meta: Meta, spec: Fields) -> WorkloadEntry:
    """Read the `spec` of a WorkloadEntry; labels of its metadata win over those of its spec."""
    workload = parse_workload(spec, None)
    labels = {**workload.labels, **meta.labels}
    merged = Workload(workload.address, workload.ports, labels, workload.locality, workload.weight)
    return WorkloadEntry(meta, merged)


def parse_workload(spec: Fields, service_ports: Collection[str] | None) -> Workload:
    """Read one endpoint; `service_ports` are the port names an inline endpoint may use."""
    address = spec.string("address")
    if not address:
        spec.error("an address is required", "address")
    elif address.startswith("unix://"):
        spec.error("unix addresses are not served yet by the embedded control plane", "address")
    elif not names.is_ip(address) and (service_ports is not None or names.wrong_fqdn(address)):
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
    spec.unserved("network")
    spec.skip("serviceAccount")
    spec.close()
    return Workload(address, ports, labels, locality, weight)
