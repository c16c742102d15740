"""LDS: an API listener per service and port, each pointing to its route configuration."""

from __future__ import annotations

from envoy.config.core.v3 import address_pb2, config_source_pb2
from envoy.config.listener.v3 import api_listener_pb2, listener_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from controlplane.names import ClusterKey, host_port
from controlplane.registry import Service
from controlplane.translate.anys import pack

FAULT_FILTER = "envoy.filters.http.fault"
ROUTER_FILTER = "envoy.filters.http.router"
UNSPECIFIED = "0.0.0.0"


def build_listener(service: Service, port: int, requested_host: str) -> listener_pb2.Listener:
    """The listener of a service port, under the host it was asked for."""
    manager = hcm.HttpConnectionManager(
        rds=hcm.Rds(
            config_source=config_source_pb2.ConfigSource(ads=config_source_pb2.AggregatedConfigSource()),
            route_config_name=str(ClusterKey(port, "", service.host)),
        ),
        http_filters=[
            hcm.HttpFilter(name=FAULT_FILTER, typed_config=pack(fault_pb2.HTTPFault())),
            hcm.HttpFilter(name=ROUTER_FILTER, typed_config=pack(router_pb2.Router())),
        ],
    )
    return listener_pb2.Listener(
        name=host_port(requested_host, port),
        address=address_pb2.Address(
            socket_address=address_pb2.SocketAddress(
                address=service.addresses[0] if service.addresses else UNSPECIFIED,
                port_value=port,
            )
        ),
        api_listener=api_listener_pb2.ApiListener(api_listener=pack(manager)),
    )
