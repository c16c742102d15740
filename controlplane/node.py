"""Who a client is: what its xDS node says, read as Istiod reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from envoy.config.core.v3 import base_pb2
from google.protobuf.json_format import MessageToDict

from controlplane import localities
from controlplane.names import is_ip

_TYPES = ("sidecar", "router", "waypoint", "ztunnel")


class NodeError(ValueError):
    """The node does not say who the client is."""


@dataclass(frozen=True, slots=True)
class Node:
    """A client's identity. `labels` are those that its routes are chosen by."""

    id: str
    namespace: str
    domain: str
    addresses: tuple[str, ...]
    labels: Mapping[str, str]
    locality: str = ""
    cluster: str = localities.CLUSTER_ID

    def with_labels(self, labels: Mapping[str, str]) -> Node:
        """The same client under other labels, which may say where it is."""
        locality = localities.of_labels(labels) or self.locality
        placed = localities.augmented(labels, locality, self.cluster)
        return replace(self, labels=placed, locality=locality)

    @property
    def view(self) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
        """All that what it is served depends on."""
        return (self.namespace, self.domain, self.locality, tuple(sorted(self.labels.items())))


def parse_node(node: base_pb2.Node) -> Node:
    """Read a node; raises NodeError with the reason."""
    identity = str(node.id)
    if not identity:
        raise NodeError("missing node information")
    parts = identity.split("~")
    if len(parts) != 4:
        raise NodeError(f'the node id must be "sidecar~IP~NAME.NAMESPACE~DOMAIN", not "{identity}"')
    if parts[0] not in _TYPES:
        raise NodeError(f'unknown node type "{parts[0]}" in the node id "{identity}"')
    metadata = MessageToDict(node.metadata)
    instance_ips = str(metadata.get("INSTANCE_IPS", "") or "")
    addresses = [ip for ip in instance_ips.split(",") if is_ip(ip)] or [ip for ip in parts[1:2] if is_ip(ip)]
    if not addresses:
        raise NodeError(f'no valid IP address in the node id "{identity}" or in INSTANCE_IPS')
    labels = metadata.get("LABELS")
    place = node.locality
    return Node(
        id=identity,
        namespace=str(metadata.get("NAMESPACE", "") or "") or parts[3].partition(".")[0],
        domain=parts[3],
        addresses=tuple(addresses),
        labels={str(k): str(v) for k, v in labels.items()} if isinstance(labels, dict) else {},
        locality="/".join((place.region, place.zone, place.sub_zone)).rstrip("/"),
        cluster=str(metadata.get("CLUSTER_ID", "") or ""),
    )
