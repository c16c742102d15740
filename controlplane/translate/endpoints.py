"""EDS: the endpoints of a service port, by locality, in Istiod's order."""

from __future__ import annotations

from collections.abc import Mapping

from envoy.config.core.v3 import address_pb2, base_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from controlplane import localities
from controlplane.names import ClusterKey
from controlplane.node import Node
from controlplane.objects import DestinationRule, Workload
from controlplane.registry import Endpoint, Service
from controlplane.trafficpolicy import of_subset
from controlplane.translate.nearness import Group, arrange

MAX_WEIGHT = 2**32 - 1


def build_assignment(
    name: str, key: ClusterKey | None, service: Service | None, rule: DestinationRule | None, node: Node
) -> endpoint_pb2.ClusterLoadAssignment:
    """The load assignment of a cluster; empty where there is no such service or port, as Istiod's."""
    assignment = endpoint_pb2.ClusterLoadAssignment(cluster_name=name)
    service_port = service.port(key.port) if service and key else None
    if service is None or service_port is None or key is None:
        return assignment
    subset = next((each for each in rule.subsets if each.name == key.subset), None) if rule else None
    labels: Mapping[str, str] = subset.labels if subset else {}
    by_locality: dict[str, list[Endpoint]] = {}
    for endpoint in service.endpoints:
        workload = endpoint.workload
        if endpoint.port_name == service_port.name and labels.items() <= workload.labels.items():
            by_locality.setdefault(workload.locality, []).append(endpoint)
    groups = [Group(where, found) for where, found in sorted(by_locality.items())]
    policy = of_subset(rule.policy, subset.policy if subset else None, key.port) if rule else None
    for group in arrange(groups, policy, node):
        region, zone, sub_zone = localities.split(group.locality)
        assignment.endpoints.append(
            endpoint_components_pb2.LocalityLbEndpoints(
                locality=base_pb2.Locality(region=region, zone=zone, sub_zone=sub_zone),
                load_balancing_weight=UInt32Value(value=min(group.weight, MAX_WEIGHT)),
                priority=group.priority,
                lb_endpoints=[_lb_endpoint(endpoint) for endpoint in group.endpoints],
            )
        )
    return assignment


def _lb_endpoint(endpoint: Endpoint) -> endpoint_components_pb2.LbEndpoint:
    found = endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(
            address=address_pb2.Address(
                socket_address=address_pb2.SocketAddress(
                    address=endpoint.workload.address, port_value=endpoint.port
                )
            )
        ),
        load_balancing_weight=UInt32Value(value=endpoint.workload.weight or 1),
    )
    found.metadata.filter_metadata["istio"].update({"workload": _telemetry(endpoint.workload)})
    return found


def _telemetry(workload: Workload) -> str:
    """Workload, namespace, canonical service and revision, cluster: what Istio's metrics are labelled by."""
    labels = workload.labels
    service = (
        _first(labels, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app") or workload.name
    )
    revision = _first(labels, "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
    if revision == "latest":
        revision = ""
    return ";".join((workload.name, workload.namespace, service, revision, localities.CLUSTER_ID))


def _first(labels: Mapping[str, str], *names: str) -> str:
    return next((labels[name] for name in names if name in labels), "")
