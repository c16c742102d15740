"""The Client Status Discovery Service: what a Client holds, for whoever asks over gRPC (gRFC A40)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from envoy.admin.v3.config_dump_shared_pb2 import ClientResourceStatus
from envoy.service.status.v3.csds_pb2 import ClientConfig, ClientStatusRequest, ClientStatusResponse
from envoy.service.status.v3.csds_pb2_grpc import (
    ClientStatusDiscoveryServiceServicer,
    add_ClientStatusDiscoveryServiceServicer_to_server,
)
from grpc import aio

from .client import AdsClient
from .held import Held
from .resources import Kind
from .transport import node_of

__all__ = ["add_csds_servicer"]


def add_csds_servicer(server: aio.Server, *clients: AdsClient) -> None:
    """Serve the status of these Clients, a ClientConfig each, on a grpc.aio server (gRFC A40).

    `grpcdebug ADDRESS xds status` reads it. Whoever can reach the server can read the configuration, so
    give it a port of its own, on a loopback address.
    """
    servicer = _ClientStatus(clients)
    add_ClientStatusDiscoveryServiceServicer_to_server(servicer, server)


class _ClientStatus(ClientStatusDiscoveryServiceServicer):  # type: ignore[misc]
    def __init__(self, clients: tuple[AdsClient, ...]) -> None:
        self._clients = clients

    async def FetchClientStatus(self, request: ClientStatusRequest, context: Any) -> ClientStatusResponse:
        return await self._answer(request, context)

    async def StreamClientStatus(
        self, request_iterator: AsyncIterator[ClientStatusRequest], context: Any
    ) -> AsyncIterator[ClientStatusResponse]:
        async for request in request_iterator:
            yield await self._answer(request, context)

    async def _answer(self, request: ClientStatusRequest, context: Any) -> ClientStatusResponse:
        if request.node_matchers:
            reason = "node_matchers: this is one node, which has nothing to choose from (gRFC A40)"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        bare = request.exclude_resource_contents
        return ClientStatusResponse(config=[client_config(client, bare=bare) for client in self._clients])


def client_config(client: AdsClient, *, bare: bool = False) -> ClientConfig:
    """Return the node and every watched resource as it came; `bare` leaves the resources' contents out."""
    config = ClientConfig(node=node_of(client.bootstrap))
    # What is held is dated by the event loop's clock, which counts from nowhere in particular.
    epoch = time.time() - client.now()
    for kind in Kind:
        for name, held in sorted(client.held(kind).items()):
            _add(config, kind, name, held, epoch, bare=bare)
    return config


def _add(config: ClientConfig, kind: Kind, name: str, held: Held, epoch: float, *, bare: bool) -> None:
    entry = config.generic_xds_configs.add(
        type_url=kind.type_url,
        name=name,
        version_info=held.version,
        client_status=ClientResourceStatus.Value(held.state.value),
    )
    if held.resource is not None:
        if held.updated_at is not None:
            entry.last_updated.FromNanoseconds(int((epoch + held.updated_at) * 1e9))
        if not bare:
            entry.xds_config.type_url, entry.xds_config.value = kind.type_url, held.data
    if held.failed_at is not None:
        entry.error_state.details = held.error
        entry.error_state.version_info = held.failed_version
        entry.error_state.last_update_attempt.FromNanoseconds(int((epoch + held.failed_at) * 1e9))
