"""Mirrored calls: another cluster gets a copy, and nobody who calls notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET
from .routing import unavailable_first, with_retry


def mirrored(*policies: dict[str, Any], **match: Any) -> dict[str, Any]:
    route = build.route("v1", **match)
    route["route"]["request_mirror_policies"] = list(policies)
    return route


def share(numerator: int) -> dict[str, Any]:
    return {"default_value": {"numerator": numerator}}


class Mirror(Backend):
    """A backend whose calls can be waited for."""

    def __init__(self, name: str, then: Any = None) -> None:
        self.arrived = asyncio.Semaphore(0)
        self.then = then
        super().__init__(name, self._note)

    async def _note(self, context: aio.ServicerContext[Any, Any]) -> None:
        self.arrived.release()
        if self.then is not None:
            await self.then(context)


@pytest.mark.parametrize("kind", ["UnaryUnary", "UnaryStream"])
async def test_a_copy_goes_along_with_what_the_call_says(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    async with Mirror("copy") as copy:
        route = {
            **mirrored({"cluster": "copy"}),
            "request_headers_to_add": [{"header": {"key": "a", "value": "b"}}],
        }
        control_plane.set(*build.service(NAME, {"v1": [v1.address], "copy": [copy.address]}, [route]))
        channel = mesh.channel(TARGET)
        for _ in range(3):
            if kind == "UnaryUnary":
                call = channel.unary_unary(METHOD)
                assert await call(b"", metadata=[("user", "jane")], timeout=20) == b"v1"
            else:
                stream = channel.unary_stream("/test.Service/UnaryStream")
                assert [m async for m in stream(b"", metadata=[("user", "jane")], timeout=20)] == [b"v1"] * 3
            await copy.arrived.acquire()
        assert {key.authority for key in mesh.pool._active} == {"reviews:9080", "reviews-shadow:9080"}
        assert (await mesh.explain(TARGET, method=METHOD)).mirrors == {"copy": 100}
        assert all((seen["user"], seen["a"]) == ("jane", "b") for seen in copy.calls)
        assert len(v1.calls) == len(copy.calls) == 3


async def hang(context: Any) -> None:
    await asyncio.Event().wait()


async def fail(context: Any) -> None:
    await context.abort(grpc.StatusCode.INTERNAL, "as told")


@pytest.mark.parametrize("then", [hang, fail])
async def test_a_copy_neither_delays_nor_fails_the_call(
    then: Any, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    async with Mirror("copy", then) as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        policies = ({"cluster": "copy"}, {"cluster": "nowhere"})
        control_plane.set(*build.service(NAME, backends, [mirrored(*policies)]))
        async with mesh.channel(TARGET) as channel:
            for _ in range(5):
                assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
                await copy.arrived.acquire()


class Recorder(grpc.GenericRpcHandler):
    """A server that keeps what streams of requests it gets; each is put into `calls` when it ends.

    It reads no request before `reading` is set.
    """

    def __init__(self) -> None:
        self.calls: asyncio.Queue[list[bytes] | None] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self.address = ""
        self._server: aio.Server | None = None

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        async def record(requests: Any, context: Any) -> Any:
            self.begun.set()
            received = []
            try:
                await self.reading.wait()
                async for request in requests:
                    received.append(request)
                # The requests of a cancelled call may end as if they were all: who answers it learns.
                yield b"the copy"
            except (asyncio.CancelledError, GeneratorExit):
                self.calls.put_nowait(None)
                raise
            self.calls.put_nowait(received)

        return grpc.stream_stream_rpc_method_handler(record)

    async def __aenter__(self) -> Recorder:
        self._server = aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        await self._server.stop(None)


REQUESTS = ["a", "", "c"]


async def as_they_come() -> AsyncIterator[str]:
    for each in REQUESTS:
        yield each


async def read(call: Any) -> list[bytes]:
    """All that comes back."""
    return [message async for message in call] if isinstance(call, aio.StreamStreamCall) else [await call]


@pytest.mark.parametrize("how", ["iterator", "list", "writes"])
@pytest.mark.parametrize(("kind", "retried"), [("StreamUnary", 0), ("StreamUnary", 1), ("StreamStream", 0)])
async def test_a_stream_of_requests_is_copied_as_it_goes_by(
    kind: str, retried: int, how: str, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Backend("v1", unavailable_first(retried)) as v1, Recorder() as copy:
        route = mirrored({"cluster": "copy"})
        backends = {"v1": [v1.address], "copy": [copy.address]}
        control_plane.set(*build.service(NAME, backends, [with_retry(route) if retried else route]))
        channel = mesh.channel(TARGET)
        make = channel.stream_unary if kind == "StreamUnary" else channel.stream_stream
        method = make(f"/test.Service/{kind}", request_serializer=str.encode)
        for _ in range(2):  # before there is configuration, and with it
            if how == "writes":
                call: Any = method(timeout=20)
                for each in REQUESTS:
                    await call.write(each)
                await call.done_writing()
            else:
                call = method(as_they_come() if how == "iterator" else REQUESTS, timeout=20)
            answers = [b"v1:a::c"] if kind == "StreamUnary" else [b"v1:a", b"v1:", b"v1:c"]
            assert await read(call) == answers
            assert await copy.calls.get() == [b"a", b"", b"c"]
        assert copy.calls.empty()


async def test_a_copy_that_cannot_keep_up_is_given_up(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    """Sooner or later neither its connection nor the buffer holds more; the call goes on all the same."""
    async with Recorder() as copy:
        copy.reading.clear()
        backends = {"v1": [v1.address], "copy": [copy.address]}
        control_plane.set(*build.service(NAME, backends, [mirrored({"cluster": "copy"})]))
        method = mesh.channel(TARGET).stream_stream("/test.Service/StreamStream")

        async def requests() -> AsyncIterator[bytes]:
            yield b"first"
            await copy.begun.wait()
            while copy.calls.empty():
                yield bytes(65536)
            yield b"last"

        answers = await read(method(requests(), timeout=20))
        assert (answers[0], answers[-1]) == (b"v1:first", b"v1:last")
        assert await copy.calls.get() is None
        assert await read(method([b"x"], timeout=20)) == [b"v1:x"]  # and so does the next one


async def test_a_copy_ends_where_the_call_does(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    async with Recorder() as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        control_plane.set(*build.service(NAME, backends, [mirrored({"cluster": "copy"})]))
        call = mesh.channel(TARGET).stream_stream("/test.Service/StreamStream")()
        await call.write(b"a")
        await copy.begun.wait()
        call.cancel()
        assert await copy.calls.get() is None  # and not the half of it as if it were all


async def test_what_goes_by_fails_the_call_as_without_a_copy(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    async def requests() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("no more")

    ends = []
    async with Recorder() as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        for route in (build.route("v1"), mirrored({"cluster": "copy"})):
            control_plane.set(*build.service(NAME, backends, [route]))
            channel = mesh.channel(TARGET)
            await mesh.explain(TARGET, method=METHOD)
            call = channel.stream_unary("/test.Service/StreamUnary")(requests(), timeout=20)
            with pytest.raises(asyncio.CancelledError):
                await call
            ends.append((await call.code(), call.cancelled()))
    assert ends[0] == ends[1]


async def test_retries_are_not_copied_again(control_plane: FakeControlPlane, mesh: proxyless.Client) -> None:
    async with Backend("v1", unavailable_first(2)) as v1, Mirror("copy") as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        control_plane.set(*build.service(NAME, backends, [with_retry(mirrored({"cluster": "copy"}))]))
        call = mesh.channel(TARGET).unary_unary(METHOD)
        for _ in range(2):
            assert await call(b"", timeout=20) == b"v1"
            await copy.arrived.acquire()
        assert (len(v1.calls), len(copy.calls)) == (4, 2)


async def test_a_share_is_drawn(control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend) -> None:
    async with Mirror("all") as everything, Mirror("none") as nothing:
        policies = (
            {"cluster": "none", "runtime_fraction": share(0)},
            {"cluster": "all", "runtime_fraction": share(100)},
        )
        backends = {"v1": [v1.address], "all": [everything.address], "none": [nothing.address]}
        control_plane.set(*build.service(NAME, backends, [mirrored(*policies)]))
        call = mesh.channel(TARGET).unary_unary(METHOD)
        for _ in range(20):
            await call(b"", timeout=20)
            await everything.arrived.acquire()
        assert (len(everything.calls), len(nothing.calls)) == (20, 0)


async def test_closing_gives_up_what_is_on_its_way(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    before = asyncio.all_tasks()
    async with Mirror("copy", hang) as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        control_plane.set(*build.service(NAME, backends, [mirrored({"cluster": "copy"})]))
        async with mesh.channel(TARGET) as channel:
            assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
            await copy.arrived.acquire()
        left = [task for task in asyncio.all_tasks() - before if task.get_name() == "mirrored call"]
        if left:
            await asyncio.wait(left)
        assert all(task.cancelled() for task in left)
