"""The mesh's own objects: a ServiceEntry for each service, a WorkloadEntry for each living instance."""

from __future__ import annotations

from collections.abc import Iterable

from mesh.addresses import Address
from mesh.inventory import NAMESPACE, SERVICE_PORT, Instance, Service
from mesh.objects import MeshObject, Ref, read_object

API_VERSION = "networking.istio.io/v1"
MANAGED_BY = {"app.kubernetes.io/managed-by": "proxyless-mesh"}


def service_entry(service: Service) -> MeshObject:
    """How the mesh learns of a service: its host, its port, and the label that its workloads carry."""
    return read_object(
        {
            "apiVersion": API_VERSION,
            "kind": "ServiceEntry",
            "metadata": {"name": service.name, "namespace": NAMESPACE, "labels": MANAGED_BY},
            "spec": {
                "hosts": [service.host],
                "location": "MESH_INTERNAL",
                "resolution": "STATIC",
                "ports": [
                    {
                        "number": SERVICE_PORT,
                        "name": service.port_name,
                        "protocol": service.port_name.upper(),
                    }
                ],
                "workloadSelector": {"labels": {"app": service.name}},
            },
        },
        service.name,
    )


def workload_entry(instance: Instance, service: Service, address: Address) -> MeshObject:
    """How the mesh learns of a living instance."""
    return read_object(
        {
            "apiVersion": API_VERSION,
            "kind": "WorkloadEntry",
            "metadata": {"name": instance.pod, "namespace": NAMESPACE, "labels": MANAGED_BY},
            "spec": {
                "address": address.ip,
                "ports": {service.port_name: address.port},
                "labels": instance.labels,
            },
        },
        instance.pod,
    )


def workload_ref(instance: Instance) -> Ref:
    """Which object stands for this instance."""
    return Ref("WorkloadEntry", NAMESPACE, instance.pod)


def hosts_defined(objects: Iterable[MeshObject]) -> set[str]:
    """The hosts for which somebody has written a ServiceEntry."""
    return {
        str(host).lower()
        for item in objects
        if item.ref.kind == "ServiceEntry"
        for host in (item.document.get("spec") or {}).get("hosts") or ()
    }
