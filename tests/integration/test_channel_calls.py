"""The drop-in channel: four call kinds, before and after configuration, and how calls end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import proxyless
import pytest
from google.protobuf.any_pb2 import Any as AnyProto
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, bootstrap_for

LANE = [("baggage", "env=dev")]
TO_LANE = build.route("v2", headers=[build.header("baggage", string_match={"exact": "env=dev"})])


async def words(*messages: bytes) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


async def converse(channel: aio.Channel, kind: str, metadata: Any = None) -> list[bytes]:
    """Make one call of a kind; returns every response."""
    if kind == "UnaryUnary":
        return [await channel.unary_unary("/s/UnaryUnary")(b"", metadata=metadata)]
    if kind == "UnaryStream":
        return [m async for m in channel.unary_stream("/s/UnaryStream")(b"", metadata=metadata)]
    if kind == "StreamUnary":
        return [await channel.stream_unary("/s/StreamUnary")(words(b"a", b"b"), metadata=metadata)]
    if kind == "StreamUnary by write":
        call = channel.stream_unary("/s/StreamUnary")(metadata=metadata)
        await call.write(b"a")
        await call.write(b"b")
        await call.done_writing()
        return [await call]
    if kind == "StreamStream":
        requests = words(b"a", b"b")
        return [m async for m in channel.stream_stream("/s/StreamStream")(requests, metadata=metadata)]
    call = channel.stream_stream("/s/StreamStream")(metadata=metadata)
    responses = []
    for message in (b"a", b"b"):
        await call.write(message)
        responses.append(await call.read())
    await call.done_writing()
    assert await call.read() is aio.EOF
    return responses


EXPECTED = {
    "UnaryUnary": [b"%s"],
    "UnaryStream": [b"%s"] * 3,
    "StreamUnary": [b"%s:a:b"],
    "StreamUnary by write": [b"%s:a:b"],
    "StreamStream": [b"%s:a", b"%s:b"],
    "StreamStream by write": [b"%s:a", b"%s:b"],
}


@pytest.mark.parametrize("kind", EXPECTED)
async def test_every_kind_waits_for_configuration_then_follows_its_lane(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.automatic = False
    channel = mesh.channel(TARGET)
    early = asyncio.create_task(converse(channel, kind, LANE))
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    assert not early.done()
    control_plane.automatic = True
    control_plane.set(
        *build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [TO_LANE, build.route("v1")])
    )
    assert await early == [m % b"v2" for m in EXPECTED[kind]]
    assert await converse(channel, kind) == [m % b"v1" for m in EXPECTED[kind]]


@pytest.mark.parametrize("kind", EXPECTED)
async def test_every_kind_with_a_retry_policy(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    route = build.route("v1")
    route["route"]["retry_policy"] = {"retry_on": "unavailable", "num_retries": 2}
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [route]))
    channel = mesh.channel(TARGET)
    assert await converse(channel, kind) == [m % b"v1" for m in EXPECTED[kind]]


async def test_calls_are_returned_at_once_and_end_with_their_deadline(mesh_by_hand: Any) -> None:
    _, mesh = mesh_by_hand
    call = mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=0.05)
    assert isinstance(call, aio.UnaryUnaryCall)
    assert not call.done()
    assert 0 < call.time_remaining() <= 0.05
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert TARGET in (caught.value.details() or "")
    assert call.done()
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("wait", [None, False, True])
async def test_an_absent_listener_fails_calls_unless_they_wait_for_ready(
    wait: bool | None, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    channel = mesh.channel(TARGET)
    call = channel.unary_unary(METHOD)(b"", timeout=10, wait_for_ready=wait)
    if wait:
        absent = channel.unary_unary(METHOD)(b"", timeout=10)
        with pytest.raises(aio.AioRpcError):
            await absent
        control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
        assert await call == b"v1"
    else:
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert NAME in (caught.value.details() or "")
        assert "does not exist" in (caught.value.details() or "")


async def test_without_a_control_plane_calls_fail_at_once_with_the_reason() -> None:
    control_plane = FakeControlPlane()
    await control_plane.start()
    bootstrap = bootstrap_for(control_plane)
    await control_plane.stop()
    async with proxyless.Client(bootstrap) as mesh:
        with pytest.raises(aio.AioRpcError) as caught:
            await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "cannot be had" in (caught.value.details() or "")


async def test_an_undecodable_first_resource_fails_with_the_reason(mesh_by_hand: Any) -> None:
    control_plane, mesh = mesh_by_hand
    call = mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=10)
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    broken = build.listener(NAME)
    packed = pack_broken(broken)
    control_plane.streams[0].send(build.LDS, [packed])
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "refused" in (caught.value.details() or "")


def pack_broken(message: Any) -> Any:
    return AnyProto(type_url=build.type_url(message), value=b"\xff\xff\xff")


async def test_cancelling_before_configuration(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    call = mesh.channel(TARGET).unary_unary(METHOD)(b"")
    told = asyncio.get_running_loop().create_future()
    call.add_done_callback(told.set_result)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled() and call.done()
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert await told is call
    assert not call.cancel()


async def test_cancelling_whoever_awaits_cancels_the_call(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    reached, hold = asyncio.Event(), asyncio.Event()
    ended = asyncio.Event()

    async def hang(context: Any) -> None:
        context.add_done_callback(lambda _: ended.set())
        reached.set()
        await hold.wait()

    async with Backend("v1", hang) as backend:
        route = build.route("v1")
        route["route"]["retry_policy"] = {"retry_on": "unavailable,cancelled"}
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [route]))
        call = mesh.channel(TARGET).unary_unary(METHOD)(b"")

        async def wait() -> Any:
            return await call

        waiting = asyncio.create_task(wait())
        await reached.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await ended.wait()  # the server saw it too
        assert len(backend.calls) == 1  # and it was not retried
        assert await call.code() is grpc.StatusCode.CANCELLED
        hold.set()


async def test_a_call_nobody_holds_goes_through(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.automatic = False
    code: asyncio.Future[grpc.StatusCode] = asyncio.get_running_loop().create_future()

    async def tell(call: Any) -> None:
        code.set_result(await call.code())

    call = mesh.channel(TARGET).unary_unary(METHOD)(b"")
    call.add_done_callback(lambda ended: asyncio.ensure_future(tell(ended)))
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    del call
    gc.collect()
    control_plane.automatic = True
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    assert await code is grpc.StatusCode.OK


async def test_no_task_is_run_for_a_call_where_nothing_is_left_to_do(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    channel = mesh.channel(TARGET)
    await channel.channel_ready()
    before = asyncio.all_tasks()
    call = channel.unary_unary(METHOD)(b"", timeout=5)
    assert len(asyncio.all_tasks() - before) == 1, "grpc.aio's own"
    assert await call == b"v1"
    assert await call.code() is grpc.StatusCode.OK
    stream = channel.stream_stream("/s/StreamStream")()
    assert type(stream).__module__.startswith("grpc.")
    stream.cancel()


async def test_errors_of_the_server_come_through_unchanged(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def refuse(context: Any) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such book", (("why", "gone"),))

    async with Backend("v1", refuse) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        call = mesh.channel(TARGET).unary_unary(METHOD)(b"")
        with pytest.raises(aio.AioRpcError) as caught:
            await call
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "no such book"
    assert ("why", "gone") in tuple(caught.value.trailing_metadata() or ())
    assert ("why", "gone") in tuple(await call.trailing_metadata())


async def test_writing_after_the_end_is_an_error_not_a_hang(mesh_by_hand: Any) -> None:
    _, mesh = mesh_by_hand
    call = mesh.channel(TARGET).stream_unary("/s/StreamUnary")(timeout=30)
    blocked = asyncio.create_task(call.write(b"a"))
    second = asyncio.create_task(call.write(b"b"))
    await asyncio.sleep(0)
    call.cancel()
    for write in (blocked, second):
        with pytest.raises(asyncio.InvalidStateError):
            await write
    with pytest.raises(aio.UsageError):
        await mesh.channel(TARGET).stream_unary("/s/StreamUnary")(words(b"a")).write(b"b")


async def test_closing_with_grace_lets_calls_end(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    reached, hold = asyncio.Event(), asyncio.Event()

    async def wait(context: Any) -> None:
        reached.set()
        await hold.wait()

    async with Backend("v1", wait) as backend:
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        channel = mesh.channel(TARGET)
        call = channel.unary_unary(METHOD)(b"")
        await reached.wait()
        closing = asyncio.create_task(channel.close(grace=30))
        hold.set()
        assert await call == b"v1"
        await closing
    assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    with pytest.raises(proxyless.ClosedError):
        channel.unary_unary(METHOD)(b"")


async def test_closing_the_client_ends_calls_that_wait(control_plane: FakeControlPlane) -> None:
    control_plane.automatic = False
    mesh = proxyless.Client(bootstrap_for(control_plane))
    call = mesh.channel(TARGET).unary_unary(METHOD)(b"")
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    await mesh.close()
    assert await call.code() is grpc.StatusCode.CANCELLED
    with pytest.raises(proxyless.ClosedError):
        mesh.channel(TARGET)


async def test_connectivity(control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend) -> None:
    control_plane.automatic = False
    state = grpc.ChannelConnectivity
    channel = mesh.channel(TARGET)
    assert channel.get_state() is state.CONNECTING
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    control_plane.automatic = True
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    await channel.wait_for_state_change(state.CONNECTING)
    assert channel.get_state() is state.IDLE
    await channel.channel_ready()
    assert channel.get_state() is state.READY
    await v1.stop()
    seen = {state.READY}
    while state.TRANSIENT_FAILURE not in seen:
        last = channel.get_state()
        seen.add(last)
        if last is not state.TRANSIENT_FAILURE:
            await channel.wait_for_state_change(last)
