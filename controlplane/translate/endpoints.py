"""EDS: the endpoints of a service port, by locality, in Istiod's order."""

from __future__ import annotations

from collections.abc import Mapping

from envoy.config.core.v3 import address_pb2, base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from controlplane.objects import Workload
from controlplane.registry import Endpoint, Service

LOCALITY_LABEL = "istio-locality"
MAX_WEIGHT = 2**32 - 1


def build_assignment(
    name: str, service: Service | None, port: int, labels: Mapping[str, str]
) -> endpoint_pb2.ClusterLoadAssignment:
    """The load assignment of a cluster; empty where there is no such service or port, as Istiod's."""
    assignment = endpoint_pb2.ClusterLoadAssignment(cluster_name=name)
    service_port = service.port(port) if service else None
    if service is None or service_port is None:
        return assignment
    by_locality: dict[str, list[Endpoint]] = {}
    for endpoint in service.endpoints:
        workload = endpoint.workload
        if endpoint.port_name == service_port.name and labels.items() <= workload.labels.items():
            by_locality.setdefault(_locality(workload), []).append(endpoint)
    for locality, endpoints in sorted(by_locality.items()):
        weight = min(sum(endpoint.workload.weight or 1 for endpoint in endpoints), MAX_WEIGHT)
        assignment.endpoints.append(
            endpoint_components_pb2.LocalityLbEndpoints(
                locality=_locality_proto(locality),
                load_balancing_weight=UInt32Value(value=weight),
                lb_endpoints=[_lb_endpoint(endpoint) for endpoint in endpoints],
            )
        )
    return assignment


def _locality(workload: Workload) -> str:
    # The label has dots for slashes, which a label value cannot hold.
    return workload.locality or workload.labels.get(LOCALITY_LABEL, "").replace(".", "/")


def _locality_proto(locality: str) -> base_pb2.Locality:
    region, _, rest = locality.partition("/")
    zone, _, sub_zone = rest.partition("/")
    return base_pb2.Locality(region=region, zone=zone, sub_zone=sub_zone)


def _lb_endpoint(endpoint: Endpoint) -> endpoint_components_pb2.LbEndpoint:
    return endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(
            address=address_pb2.Address(
                socket_address=address_pb2.SocketAddress(
                    address=endpoint.workload.address, port_value=endpoint.port
                )
            )
        ),
        health_status=health_check_pb2.HEALTHY,
        load_balancing_weight=UInt32Value(value=endpoint.workload.weight or 1),
    )
