"""The ADS stream over grpc.aio: Request and Response out of and into their protobuf messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.message import DecodeError
from grpc import aio
from grpc._cython import cygrpc
from grpc.aio import _channel as aio_channel

from .bootstrap import Bootstrap
from .messages import Denial, Request, Response
from .slices import a_turn_for_others
from .steps import Steps

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),  # Istiod drops clients that ping more often than every 15 s
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),  # a quiet stream is no reason to stop asking
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),  # what lies inside the mesh is not reached through the user's web proxy
)


def plain_channel(
    address: str,
    options: Sequence[tuple[str, Any]] = (),
    credentials: grpc.ChannelCredentials | None = None,
) -> aio.Channel:
    """Open a channel that nobody instruments.

    OpenTelemetry and others replace `grpc.aio.insecure_channel` by a function that adds interceptors; the
    channels inside this library must not be counted as calls of the application. So the originals are taken
    from the module that defines them, whatever stands in `grpc.aio` when this one is imported.
    """
    channel: Any  # the type stubs know the class by its public name only
    if credentials is not None:
        channel = aio_channel.secure_channel(address, credentials, options=options)
    else:
        channel = aio_channel.insecure_channel(address, options=options)
    return cast(aio.Channel, channel)


def node_of(bootstrap: Bootstrap) -> Any:
    """Return the Node message of a bootstrap."""
    node = Node(
        id=bootstrap.node_id,
        cluster=bootstrap.cluster,
        user_agent_name="proxyless",
        client_features=["envoy.lb.does_not_support_overprovisioning", "xds.config.resource-in-sotw"],
    )
    node.metadata.update(dict(bootstrap.metadata))
    node.locality.region = bootstrap.locality.region
    node.locality.zone = bootstrap.locality.zone
    node.locality.sub_zone = bootstrap.locality.sub_zone
    return node


class NoResponseError(Exception):
    """What the control plane sent cannot be read."""


def opening(data: bytes) -> Steps[Response]:
    """Decode a response in steps; raises NoResponseError where the bytes are none."""
    try:
        message = DiscoveryResponse.FromString(data)
    except DecodeError as error:
        raise NoResponseError(f"sent what is no DiscoveryResponse: {error}") from None
    resources = []
    for each in message.resources:
        yield
        resources.append((each.type_url, each.value))
    denials = (
        Denial(each.resource_name.name, each.error_detail.code, each.error_detail.message)
        for each in message.resource_errors
    )
    return Response(message.type_url, message.version_info, message.nonce, tuple(resources), tuple(denials))


MAX_RESPONSE = 256 * 1024 * 1024
"""Bytes a response may have; gRPC's own 4 MiB kill the stream of a real mesh."""

_LARGE = 256 * 1024
"""Bytes of a response whose arrival alone is a slice."""


class AdsStream:
    """One StreamAggregatedResources call, on a connection of its own."""

    def __init__(self, bootstrap: Bootstrap, max_response: int = MAX_RESPONSE) -> None:
        """Begin to connect; raises BootstrapError where a file that TLS needs cannot be used."""
        self._node = node_of(bootstrap)
        options: list[tuple[str, Any]] = [*_OPTIONS, ("grpc.max_receive_message_length", max_response)]
        credentials: grpc.ChannelCredentials | None = None
        metadata: tuple[tuple[str, str], ...] = ()
        if bootstrap.tls is not None:
            credentials = grpc.ssl_channel_credentials(bootstrap.tls.read_root())
            metadata = bootstrap.tls.stream_metadata(time.time())
            if bootstrap.tls.server_name:
                options.append(("grpc.ssl_target_name_override", bootstrap.tls.server_name))
        self._channel = plain_channel(bootstrap.server, options, credentials)
        # Bytes in, bytes out: a response of megabytes is decoded in steps.
        self._call: Any = self._channel.stream_stream(_METHOD)(metadata=metadata)

    async def wait_until_open(self) -> None:
        """Wait for the connection; raises aio.AioRpcError if there is none to be had."""
        await self._call.wait_for_connection()

    async def send(self, request: Request) -> None:
        """Write one request; raises EOFError once the stream is over, and `receive` says why."""
        message = DiscoveryRequest(
            version_info=request.version,
            resource_names=request.names,
            type_url=request.kind.type_url,
            response_nonce=request.nonce,
        )
        if request.first:
            message.node.CopyFrom(self._node)
        if request.error:
            message.error_detail.code = 3  # INVALID_ARGUMENT
            message.error_detail.message = request.error
        try:
            # Not `write`: where the stream has just ended, that puts an INTERNAL of its own in the place of
            # the server's status (grpc/grpc#36066), and nobody would ever learn that the token was refused.
            call = self._call._cython_call
            await call.send_serialized_message(message.SerializeToString())
        except (cygrpc.InternalError, asyncio.InvalidStateError):
            raise EOFError from None

    async def receive(self) -> bytes | None:
        """Read the bytes of one response; None at the end of the stream.

        Raises aio.AioRpcError on failure.
        """
        data: Any = await self._call.read()
        if data is aio.EOF:
            return None
        if len(data) > _LARGE:
            # For gRPC, to hand it over was milliseconds of work: others get their turn before it is decoded.
            await a_turn_for_others()
        return bytes(data)

    async def close(self) -> None:
        """End the call and its connection."""
        self._call.cancel()
        await self._channel.close()
