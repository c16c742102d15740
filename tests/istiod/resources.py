"""The raw resources a control plane serves, in a form that is the same for the same content."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.cors.v3 import cors_pb2  # noqa: F401 - for Any in JSON
from envoy.extensions.filters.http.fault.v3 import fault_pb2  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2  # noqa: F401
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2  # noqa: F401
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # noqa: F401
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from grpc import aio
from proxyless import Bootstrap

PREFIX = "type.googleapis.com/"
TYPES = {"LDS": Listener, "RDS": RouteConfiguration, "CDS": Cluster, "EDS": ClusterLoadAssignment}
ANSWER_SECONDS = 5.0

Resources = dict[str, dict[str, dict[str, Any]]]
"""Type (LDS, RDS, CDS, EDS) → name → the resource as plain data."""


async def collect(bootstrap: Bootstrap, targets: Iterable[str]) -> Resources:
    """What a client of `targets` is sent: listeners, and all that they lead to."""
    wanted = sorted(set(targets))
    node = Node(id=bootstrap.node_id, metadata=ParseDict(dict(bootstrap.metadata), Struct()))
    outgoing: asyncio.Queue[DiscoveryRequest] = asyncio.Queue()

    async def requests() -> AsyncIterator[DiscoveryRequest]:
        while True:
            yield await outgoing.get()

    found: Resources = {}
    async with aio.insecure_channel(bootstrap.server) as channel:
        call = AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources(requests())
        for short, message in TYPES.items():
            if not wanted:
                found[short] = {}
                continue
            type_url = PREFIX + message.DESCRIPTOR.full_name
            outgoing.put_nowait(DiscoveryRequest(node=node, type_url=type_url, resource_names=wanted))
            answer = await asyncio.wait_for(_answer(call, type_url), ANSWER_SECONDS)
            held = [message.FromString(each.value) for each in answer.resources]
            found[short] = {_name(each): normal(each) for each in held}
            wanted = sorted({name for each in held for name in references(each)})
        call.cancel()
    return found


async def _answer(call: Any, type_url: str) -> DiscoveryResponse:
    while (answer := await call.read()).type_url != type_url:
        continue  # a push of a type asked for before
    return answer


def _name(message: Any) -> str:
    return str(getattr(message, "cluster_name", "") or message.name)


def references(message: Any) -> set[str]:
    """The names of the next type that a resource leads to."""
    if isinstance(message, Listener):
        manager = HttpConnectionManager()
        message.api_listener.api_listener.Unpack(manager)
        return {str(manager.rds.route_config_name)}
    if isinstance(message, RouteConfiguration):
        actions = [r.route for host in _met(message) for r in host.routes]
        plain = {str(action.cluster) for action in actions if action.cluster}
        return plain | {str(c.name) for action in actions for c in action.weighted_clusters.clusters}
    if isinstance(message, Cluster):
        return {str(message.eds_cluster_config.service_name or message.name)}
    return set()


def _met(message: Any) -> list[Any]:
    """The virtual hosts that calls to the host and port of a route configuration's name meet."""
    _, port, _, host = str(message.name).split("|")
    return [each for each in message.virtual_hosts if f"{host}:{port}".lower() in each.domains]


def normal(message: Any) -> dict[str, Any]:
    """The resource as plain data, without what says nothing.

    Istiod puts the virtual hosts of every service on the port into each route configuration; those that its
    own clients never meet are left out. Where it walks a Go map, the order is chance.
    """
    if isinstance(message, RouteConfiguration):
        kept = _met(message)
        slim = RouteConfiguration()
        slim.CopyFrom(message)
        del slim.virtual_hosts[:]
        slim.virtual_hosts.extend(kept)
        message = slim
    plain: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    for host in plain.get("virtual_hosts", ()):
        for route in host.get("routes", ()):
            for name in ("headers", "query_parameters"):
                if name in route["match"]:
                    route["match"][name].sort(key=lambda each: json.dumps(each, sort_keys=True))
    plain.get("endpoints", []).sort(key=lambda each: json.dumps(each.get("locality", {}), sort_keys=True))
    for locality in plain.get("endpoints", ()):
        locality.get("lb_endpoints", []).sort(key=lambda each: json.dumps(each, sort_keys=True))
    return plain


def messages(resources: Resources) -> list[Any]:
    """The resources as protobuf again."""
    return [ParseDict(each, TYPES[short]()) for short, named in resources.items() for each in named.values()]
