"""The four resource types and their names on the wire."""

from __future__ import annotations

import enum


class Kind(enum.Enum):
    """The four resource types of the data plane, in the order of their dependency."""

    LISTENER = "LDS"
    ROUTE_CONFIG = "RDS"
    CLUSTER = "CDS"
    ENDPOINTS = "EDS"

    __hash__ = object.__hash__  # Enum's own is Python code, and a key of everything held has a Kind in it.

    @property
    def type_url(self) -> str:
        return _TYPE_URLS[self]

    @property
    def full_state(self) -> bool:
        """Whether a response lists all there is, so that absence means deletion (LDS and CDS only)."""
        return self in (Kind.LISTENER, Kind.CLUSTER)


_TYPE_URLS = {
    Kind.LISTENER: "type.googleapis.com/envoy.config.listener.v3.Listener",
    Kind.ROUTE_CONFIG: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    Kind.CLUSTER: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    Kind.ENDPOINTS: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
}
KIND_OF_TYPE_URL = {url: kind for kind, url in _TYPE_URLS.items()}
