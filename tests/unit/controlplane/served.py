"""What a client of a snapshot is served, as plain data."""

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2  # noqa: F401 - for Any in JSON
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (  # noqa: F401
    http_connection_manager_pb2,
)
from google.protobuf.json_format import MessageToDict

from controlplane.node import Node
from controlplane.snapshot import Snapshot

HOST = "reviews.default.svc.cluster.local"
ROUTES = f"outbound|9080||{HOST}"
TYPES = {
    "LDS": listener_pb2.Listener,
    "RDS": route_pb2.RouteConfiguration,
    "CDS": cluster_pb2.Cluster,
    "EDS": endpoint_pb2.ClusterLoadAssignment,
}


def node(namespace: str = "default", labels: dict[str, str] | None = None, ip: str = "127.0.9.9") -> Node:
    return Node(f"sidecar~{ip}~me", namespace, f"{namespace}.svc.cluster.local", (ip,), labels or {})


def get(snapshot: Snapshot, short: str, name: str, client: Node | None = None) -> dict[str, Any] | None:
    found = snapshot.view(client or node()).resources(short, [name]).by_name
    return MessageToDict(TYPES[short].FromString(found[name].value)) if name in found else None


def routes(snapshot: Snapshot, client: Node | None = None, port: int = 9080) -> list[dict[str, Any]]:
    found = get(snapshot, "RDS", f"outbound|{port}||{HOST}", client)
    assert found is not None
    (virtual_host,) = found["virtualHosts"]
    result: list[dict[str, Any]] = virtual_host["routes"]
    return result


def virtual_service(http: str, name: str = "reviews", hosts: str = "[reviews]") -> str:
    body = "\n".join("  " + line for line in http.strip("\n").splitlines())
    return (
        "apiVersion: networking.istio.io/v1alpha3\nkind: VirtualService\n"
        f"metadata: {{name: {name}, namespace: default}}\nspec:\n  hosts: {hosts}\n  http:\n{body}\n"
    )


def one_match(text: str) -> str:
    return virtual_service(f"- match:\n  - {text}\n  route: [{{destination: {{host: reviews, subset: v2}}}}]")


def one_route(text: str) -> str:
    return virtual_service(f"- route: [{{destination: {{host: reviews}}}}]\n  {text}")
