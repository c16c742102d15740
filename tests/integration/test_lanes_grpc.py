"""The interceptors over real connections: all four kinds of call, both sides, and no lane that leaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from lanes import grpc_client
from lanes.context import Carried, Forwarding, carry, current, current_lane, use
from lanes.grpc_server import LaneServerInterceptor
from serving.channels import METADATA_OPTIONS

FORWARDING = Forwarding()
KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


def said() -> bytes:
    """What a handler knows of its request."""
    return repr(sorted(current().metadata)).encode()


async def unary_unary(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(0)
    return said()


async def unary_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
    for _ in range(2):
        yield said()
        await asyncio.sleep(0)


async def stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
    async for _ in requests:
        pass
    return said()


async def stream_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for _ in requests:
        yield said()


async def written(requests: AsyncIterator[bytes], context: Any) -> None:
    async for _ in requests:
        await context.write(await asyncio.create_task(unary_unary(b"", context)))


HANDLERS = {
    "unary_unary": grpc.unary_unary_rpc_method_handler(unary_unary),
    "unary_stream": grpc.unary_stream_rpc_method_handler(unary_stream),
    "stream_unary": grpc.stream_unary_rpc_method_handler(stream_unary),
    "stream_stream": grpc.stream_stream_rpc_method_handler(stream_stream),
    "written": grpc.stream_stream_rpc_method_handler(written),
}


@asynccontextmanager
async def connected() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=[LaneServerInterceptor(FORWARDING)], options=METADATA_OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", interceptors=grpc_client.interceptors()
        ) as channel:
            yield channel
    finally:
        await server.stop(None)


async def call(channel: grpc.aio.Channel, kind: str, metadata: Any = None) -> list[bytes]:
    """All answers to a call of this kind."""
    method = getattr(channel, "stream_stream" if kind == "written" else kind)(f"/t.T/{kind}")

    async def requests() -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"

    made = method(
        requests() if kind.startswith(("stream", "written")) else b"1", metadata=metadata, timeout=10
    )
    if kind.endswith("_unary"):
        return [await made]
    return [answer async for answer in made]


def carried(lane: str) -> Carried:
    headers = [("baggage", f"user=7,env={lane};ttl=1"), ("x-request-id", f"id-{lane}"), ("end-user", "jason")]
    return carry(headers, FORWARDING)


@pytest.mark.parametrize("kind", [*KINDS, "written"])
async def test_what_is_carried_arrives_whole(kind: str) -> None:
    async with connected() as channel:
        with use(carried("dev")):
            answers = await call(channel, kind)
        assert set(answers) == {repr(sorted(carried("dev").metadata)).encode()}
        assert set(await call(channel, kind)) == {b"[]"}  # the server's tasks have kept nothing


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_caller_sets_itself_wins(kind: str) -> None:
    async with connected() as channel:
        with use(carried("dev")):
            answers = await call(channel, kind, (("baggage", "env=own"), ("x-other", "1")))
        assert b"env=own" in answers[0]
        assert b"env=dev" not in answers[0]
        assert b"id-dev" in answers[0]


@pytest.mark.parametrize("kind", ["unary_stream", "stream_stream"])
async def test_a_stream_read_and_written_by_hand_keeps_the_lane_it_was_opened_in(kind: str) -> None:
    async with connected() as channel:
        method = getattr(channel, kind)(f"/t.T/{kind}")
        with use(carried("dev")):
            made = method(b"1") if kind == "unary_stream" else method()
        with use(carried("qa")):  # another request, by the time the stream is used
            if kind == "stream_stream":
                await made.write(b"1")
                await made.write(b"2")
                await made.done_writing()
            answers = [await made.read(), await made.read()]
            assert await made.read() is grpc.aio.EOF
        assert all(b"env=dev" in answer for answer in answers)
        assert await made.code() is grpc.StatusCode.OK


async def test_concurrent_requests_of_many_lanes_do_not_cross() -> None:
    async with connected() as channel:

        async def one(number: int) -> None:
            lane = f"lane-{number % 7}"
            with use(carried(lane)):
                answers = await call(channel, KINDS[number % 4])
                assert current_lane() == lane
            assert all(f"env={lane};".encode() in answer for answer in answers)

        await asyncio.gather(*(one(number) for number in range(200)))


async def test_baggage_of_the_greatest_size_is_served() -> None:
    header = "a=" + "x" * 8180 + ",env=dev"
    async with connected() as channel:
        with use(carry([("baggage", header)], FORWARDING)):
            (answer,) = await call(channel, "unary_unary")
    assert len(answer) > 8000
    assert b"env=dev" in answer


async def test_errors_and_cancellation_pass_through() -> None:
    async with connected() as channel:
        with use(carried("dev")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/t.T/nope")(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            made = channel.stream_stream("/t.T/stream_stream")()
            await made.write(b"1")
            await made.read()
            assert made.cancel()
            assert await made.code() is grpc.StatusCode.CANCELLED
