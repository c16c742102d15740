"""What is written to a call that may be retried: remembered until its attempt counts (gRFC A6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import proxyless
import pytest
import pytest_asyncio
from grpc import StatusCode, aio
from proxyless.retry import BUFFER_LIMIT

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.scripted import Scripted

from .conftest import NAME, TARGET
from .routing import with_retry

KINDS = ("stream_unary", "stream_stream")
QUICK = {"retry_back_off": {"base_interval": "0.001s"}}


class Judge:
    """What a server does with its calls: refuses the first so many."""

    def __init__(self, refuses: int = 1) -> None:
        self.refuses = refuses
        self.attempts = 0
        self.refused = asyncio.Event()

    async def __call__(self, context: Any) -> None:
        self.attempts += 1
        if self.attempts <= self.refuses:
            self.refused.set()
            await context.abort(StatusCode.UNAVAILABLE, "not now")


@pytest_asyncio.fixture
async def judge(control_plane: FakeControlPlane, mesh: proxyless.Client) -> AsyncIterator[Judge]:
    judge = Judge()
    async with Backend("v1", judge) as backend:
        route = with_retry(build.route("c"), **QUICK)
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        await mesh.channel(TARGET).channel_ready()
        yield judge


def word(kind: str) -> str:
    return kind.title().replace("_", "")


def opened(mesh: proxyless.Client, kind: str, serialize: Any = None, timeout: float | None = 20) -> Any:
    make = getattr(mesh.channel(TARGET), kind)(f"/test.Service/{word(kind)}", serialize)
    return make(b"", timeout=timeout) if kind == "unary_stream" else make(timeout=timeout)


async def channel_to(server: Scripted, control_plane: FakeControlPlane, mesh: proxyless.Client) -> Any:
    route = with_retry(build.route("c"), **{"num_retries": 1, **QUICK})
    control_plane.set(*build.service(NAME, {"c": [server.address]}, [route]))
    channel = mesh.channel(TARGET)
    await channel.channel_ready()
    return channel


async def answers(call: Any, kind: str) -> list[bytes]:
    return (await call).split(b":")[1:] if kind == "stream_unary" else [each[3:] async for each in call]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_status_that_meets_a_write_is_retried_for_what_it_is(
    kind: str, mesh: proxyless.Client, judge: Judge
) -> None:
    """grpc.aio calls it INTERNAL, now and then, before it says what it is, or over it."""
    for _ in range(150):
        judge.refuses = judge.attempts + 1
        call = opened(mesh, kind)
        for letter in (b"a", b"b", b"c"):
            await call.write(letter)
        await call.done_writing()
        assert await answers(call, kind) == [b"a", b"b", b"c"]
        assert await call.code() is StatusCode.OK
    assert judge.attempts == 300


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_written_between_two_attempts_comes_after_what_was(
    kind: str, mesh: proxyless.Client, judge: Judge
) -> None:
    call = opened(mesh, kind)
    await call.write(b"a")
    await judge.refused.wait()
    await call.write(b"b")
    await call.write(b"c")
    await call.done_writing()
    assert await answers(call, kind) == [b"a", b"b", b"c"]
    assert judge.attempts == 2


async def test_who_says_at_once_that_there_is_nothing_is_believed_by_each_attempt(
    mesh: proxyless.Client, judge: Judge
) -> None:
    call = opened(mesh, "stream_stream")
    await call.done_writing()
    assert await answers(call, "stream_stream") == []
    assert (judge.attempts, await call.code()) == (2, StatusCode.OK)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_is_sent_again_as_it_was_when_it_was_written(
    kind: str, mesh: proxyless.Client, judge: Judge
) -> None:
    """Callers fill in the same one again."""
    call = opened(mesh, kind, bytes)
    message = bytearray(b"a")
    await call.write(message)
    await judge.refused.wait()
    message[:] = b"b"
    await call.write(message)
    message[:] = b"c"
    await call.done_writing()
    assert await answers(call, kind) == [b"a", b"b"]


class Source:
    """An iterator of requests that counts how often it is asked."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.asked = 0
        self.asked_again = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.asked += 1
            if self.asked > 1:
                self.asked_again.set()
            yield await self.queue.get()


def pulls() -> list[asyncio.Task[Any]]:
    return [each for each in asyncio.all_tasks() if "Replay._pull" in repr(each)]


async def test_an_iterator_goes_on_with_the_attempt_that_counts(mesh: proxyless.Client, judge: Judge) -> None:
    source = Source()
    source.queue.put_nowait(b"a")
    call = mesh.channel(TARGET).stream_stream("/test.Service/StreamStream")(source, timeout=20)
    await judge.refused.wait()
    source.queue.put_nowait(b"b")
    assert [await call.read() for _ in range(2)] == [b"v1:a", b"v1:b"]
    source.queue.put_nowait(b"c")
    source.queue.put_nowait(b"d")
    # What was asked for when the attempt began to count is the last that was taken in a task of its own.
    assert [await call.read() for _ in range(2)] == [b"v1:c", b"v1:d"]
    assert (judge.attempts, source.asked, pulls()) == (2, 5, [])
    call.cancel()


@pytest.mark.parametrize("refuses", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_iterator_is_not_asked_once_its_call_is_over(
    kind: str, refuses: int, mesh: proxyless.Client, judge: Judge
) -> None:
    judge.refuses = refuses
    source = Source()
    source.queue.put_nowait(b"a")
    call = getattr(mesh.channel(TARGET), kind)(f"/test.Service/{word(kind)}")(source, timeout=20)
    if kind == "stream_stream":
        assert await call.read() == b"v1:a"
    await source.asked_again.wait()
    call.cancel()
    assert await call.code() is StatusCode.CANCELLED
    if left := pulls():
        await asyncio.wait(left)


@pytest.mark.parametrize(("more", "attempts"), [(0, 2), (1, 1)])
@pytest.mark.parametrize("kind", KINDS)
async def test_more_than_is_remembered_is_not_written_twice(
    kind: str, more: int, attempts: int, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Scripted() as server:
        channel = await channel_to(server, control_plane, mesh)
        call = getattr(channel, kind)(f"/unavailable/{word(kind)}")(timeout=20)
        for _ in range(8):
            await call.write(bytes(BUFFER_LIMIT // 8))
        await call.write(bytes(more))
        await call.done_writing()
        assert await call.code() is StatusCode.UNAVAILABLE
        assert server.attempts == attempts


@pytest.mark.parametrize("kind", KINDS)
async def test_cancelling_between_two_attempts(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Backend("v1", Judge(refuses=1000)) as backend:
        route = with_retry(build.route("c"), retry_back_off={"base_interval": "60s", "max_interval": "60s"})
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        await mesh.channel(TARGET).channel_ready()
        call = opened(mesh, kind, timeout=None)
        first = call._call
        await call.write(b"a")
        await first.code()
        writing = asyncio.create_task(call.write(b"b"))
        await asyncio.sleep(0)
        assert not call.done() and call.cancel()
        with pytest.raises((asyncio.CancelledError, asyncio.InvalidStateError)):
            await writing
        assert (call.cancelled(), await call.code()) == (True, StatusCode.CANCELLED)
        await asyncio.wait([call._rewriting, call._call._task])
        assert len(backend.calls) == 1


@pytest.mark.parametrize("kind", ["unary_stream", "stream_stream"])
async def test_an_answer_that_nobody_has_read_counts(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    """The server has gone to work on it: what then breaks off is not begun anew elsewhere."""
    async with Scripted() as server, Scripted() as other:
        make: Any = getattr(await channel_to(server, control_plane, mesh), kind)(f"/drip/{word(kind)}")
        call = make(b"a", timeout=20) if kind == "unary_stream" else make(timeout=20)
        await asyncio.sleep(0)
        await asyncio.wait([call._answer])
        control_plane.set(build.endpoints("c", server.address, other.address))
        await server.stop()
        assert await call.read() == b"first"
        with pytest.raises(aio.AioRpcError):
            await call.read()
        assert (server.attempts, other.attempts) == (1, 0)


@pytest.mark.parametrize("kind", ["unary_stream", *KINDS])
async def test_who_asks_for_headers_does_not_hinder_another_attempt(
    kind: str, mesh: proxyless.Client, judge: Judge
) -> None:
    """Those of a failure without any are not what the caller has asked for."""
    for _ in range(50):
        judge.refuses = judge.attempts + 1
        call = opened(mesh, kind)
        asking = asyncio.create_task(call.initial_metadata())
        if kind != "unary_stream":
            await call.write(b"a")
            await call.done_writing()
        assert await asking == aio.Metadata()
        _ = await answers(call, kind)
        assert await call.code() is StatusCode.OK
