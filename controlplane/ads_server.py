"""ADS over gRPC: moves requests and responses between the wire and the streams."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import grpc
from envoy.service.discovery.v3 import discovery_pb2

from controlplane.node import NodeError
from controlplane.state import Client, State

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_OPTIONS = (
    # Otherwise a second control plane would bind the same port without a word, and take half of the clients.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

_log = logging.getLogger(__name__)


def now() -> str:
    """The time of day, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class PortError(OSError):
    """An address that cannot be listened on; the message is a sentence."""


def reason(error: OSError) -> str:
    """The system's words for an error, without what Python adds to them."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)


def check_port(host: str, port: int) -> None:
    """Raise PortError where the address cannot be had; gRPC's own words for that are a page long."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with closing(socket.create_server((host, port), family=family)):
            pass
    except OSError as error:
        raise PortError(f"cannot listen on {host}:{port}: {reason(error)}") from error
    except UnicodeError as error:  # what Python says of a name that DNS could not hold
        raise PortError(f"cannot listen on {host}:{port}: that is no host name") from error


class AdsServer:
    """The gRPC server in front of a State."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve,
            request_deserializer=discovery_pb2.DiscoveryRequest.FromString,
            response_serializer=discovery_pb2.DiscoveryResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"StreamAggregatedResources": handler}),)
        )

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is a free one for 0. Raises PortError."""
        check_port(host, port)
        try:
            real = int(
                self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            )
        except RuntimeError as error:
            raise PortError(f"cannot listen on {host}:{port}") from error
        await self._server.start()
        return real

    async def stop(self) -> None:
        """End every stream and stop listening."""
        await self._server.stop(None)

    async def _serve(
        self,
        requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> None:
        outbox: asyncio.Queue[discovery_pb2.DiscoveryResponse] = asyncio.Queue()
        client = self._state.connect(context.peer(), now(), outbox.put_nowait)
        _log.debug("%s connected", client.address)

        async def write() -> None:
            while True:
                await context.write(await outbox.get())

        writer = asyncio.create_task(write())
        try:
            async for request in requests:
                if wrong := self._take(client, request):
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        finally:
            writer.cancel()
            self._state.disconnect(client)
            _log.debug("%s disconnected", client.address)
            # A write that failed says only that the client has gone, which the reading side knows too.
            await asyncio.gather(writer, return_exceptions=True)

    def _take(self, client: Client, request: discovery_pb2.DiscoveryRequest) -> str | None:
        """Feed one request to the stream; returns what is wrong with it, if anything."""
        client.active = time.monotonic()
        first = client.stream.node is None
        try:
            responses = client.stream.on_request(request, now())
        except NodeError as error:
            return str(error)
        node = client.stream.node
        if first and node is not None:
            _log.info("client %s connected from %s", node.id, client.address)
        if request.HasField("error_detail") and node is not None:
            _log.warning("%s refused %s: %s", node.id, request.type_url, request.error_detail.message)
        for response in responses:
            client.send(response)
        self._state.moved()
        return None
