"""The ADS stream under load: how much of it is read ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import proxyless
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.any_pb2 import Any as AnyProto
from grpc import aio
from proxyless.steps import finish
from proxyless.transport import AdsStream, opening

from .conftest import METHOD, TARGET, News

LARGE = 1024 * 1024


class Flood(AggregatedDiscoveryServiceServicer):
    """Writes large responses as fast as the client takes them, and answers other calls meanwhile."""

    def __init__(self) -> None:
        self.written = 0

    async def StreamAggregatedResources(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[DiscoveryResponse]:
        filling = AnyProto(type_url="type.googleapis.com/nothing", value=bytes(LARGE))
        for nonce in range(256):
            yield DiscoveryResponse(type_url="nothing", nonce=str(nonce), resources=[filling])
            self.written += 1


class Echo(grpc.GenericRpcHandler):
    """Answers any call, to show that time passes on the same server."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        async def echo(request: bytes, context: Any) -> bytes:
            return request

        return grpc.unary_unary_rpc_method_handler(echo) if details.method == METHOD else None


async def test_a_response_is_read_once_the_one_before_has_been_taken() -> None:
    """Nothing is read ahead, so a control plane that is too fast is held back by HTTP/2's flow control."""
    flood, server = Flood(), aio.server()
    add_AggregatedDiscoveryServiceServicer_to_server(flood, server)  # type: ignore[no-untyped-call]
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stream = AdsStream(proxyless.Bootstrap(server=f"127.0.0.1:{port}", node_id="flow"))
    try:
        await stream.wait_until_open()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as other:
            for taken in range(1, 9):
                data = await stream.receive()
                assert data is not None and finish(opening(data)).nonce == str(taken - 1)
                for _ in range(50):
                    await other.unary_unary(METHOD)(b"")
                # What has been written and not taken is in the kernel's buffers and gRPC's windows, which
                # grow to some 10 MiB here: far from all of it.
                assert flood.written <= taken + 32
    finally:
        await stream.close()
        await server.stop(None)


class Noise(grpc.GenericRpcHandler):
    """Answers with bytes that are no message."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        async def noise(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            yield b"\xff\xff"

        return grpc.stream_stream_rpc_method_handler(noise)


async def test_bytes_that_are_no_response_end_the_stream_and_are_told(news: News) -> None:
    server = aio.server()
    server.add_generic_rpc_handlers((Noise(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with proxyless.Client(
            proxyless.Bootstrap(server=f"127.0.0.1:{port}", node_id="n"), observer=news
        ) as client:
            client.channel(TARGET)
            await news.until(lambda: bool(news.failures))
            assert "sent what is no DiscoveryResponse" in news.failures[0]
    finally:
        await server.stop(None)
