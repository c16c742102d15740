"""Hundreds of calls in flight while everything around them changes: none is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import proxyless
import pytest
from grpc import aio
from proxyless.subchannels import Subchannel

from tests.fakes import resources as build
from tests.fakes.backends import Backend, gather_backends
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, News, bootstrap_for
from .routing import with_retry

IN_FLIGHT = 500


def to(cluster: str) -> list[Any]:
    return [with_retry(build.route(cluster))]


class Load:
    """So many callers, each of which calls again as soon as it is answered."""

    def __init__(self, channel: proxyless.Channel) -> None:
        self._multicallable = channel.unary_unary(METHOD)
        self._done = asyncio.Event()
        self._calls = 0
        self._stopped = False
        self.answers: dict[bytes, int] = {}
        self.began: dict[int, int] = {}
        """For each caller, after how many calls of them all it began its own."""
        self._tasks = [asyncio.create_task(self._caller(i)) for i in range(IN_FLIGHT)]

    async def _caller(self, number: int) -> None:
        while not self._stopped:
            self.began[number] = self._calls
            answer = await self._multicallable(b"", timeout=30)
            self.answers[answer] = self.answers.get(answer, 0) + 1
            self._calls += 1
            self._done.set()

    async def calls(self, more: int) -> None:
        """Wait for so many more calls."""
        wanted = self._calls + more
        while self._calls < wanted:
            failed = [each for each in self._tasks if each.done()]
            if failed:
                await asyncio.gather(*failed)
            self._done.clear()
            await self._done.wait()

    async def turnover(self) -> None:
        """Wait until every call that is in flight now has ended."""
        now = self._calls
        await self.calls(1)
        while min(self.began.values()) < now:
            await self.calls(1)

    async def answered_by(self, *names: bytes) -> None:
        """Wait until each of these has answered."""
        self.answers.clear()
        while not set(names) <= self.answers.keys():
            await self.calls(1)

    async def end(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def nothing_left_behind() -> AsyncIterator[None]:
    """No task, no file descriptor, no noise."""
    noise: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: noise.append(str(context)))
    gc.collect()
    tasks, files = asyncio.all_tasks(), descriptors()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
        left = asyncio.all_tasks() - tasks
        async with asyncio.timeout(10):
            if left:
                await asyncio.wait(left)
            # The kernel tells nobody that a socket is closed.
            while descriptors() > files:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        gc.collect()
    assert not noise
    assert not caught
    assert not asyncio.all_tasks() - tasks


@pytest.fixture
def quick_collections() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collections")
async def test_no_call_is_lost_whatever_changes(v1: Backend) -> None:
    """`v1` has no part in it: it holds the descriptors gRPC needs for itself while any server runs."""
    async with nothing_left_behind(), FakeControlPlane() as control_plane:
        backends = await gather_backends("a", "b", "c", "d", "e")
        async with proxyless.Client(bootstrap_for(control_plane)) as mesh:
            await drive_through_changes(control_plane, mesh, *backends.values())
            assert not mesh.pool._active
        await asyncio.gather(*(each.stop() for each in backends.values()))


async def drive_through_changes(
    control_plane: FakeControlPlane,
    mesh: proxyless.Client,
    a: Backend,
    b: Backend,
    c: Backend,
    d: Backend,
    e: Backend,
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [a.address, b.address], "v2": [c.address]}, to("v1")))
    async with mesh.channel(TARGET) as channel:
        load = Load(channel)
        await load.answered_by(b"a", b"b")
        # The route is edited, and the version it left gets no call once those in flight have ended.
        control_plane.set(build.route_config(NAME, to("v2")))
        await load.answered_by(b"c")
        await load.turnover()
        before = len(a.calls), len(b.calls)
        await load.calls(IN_FLIGHT)
        assert (len(a.calls), len(b.calls)) == before
        # Its cluster is deleted; endpoints come and go.
        control_plane.remove(build.cluster("v1"))
        await load.turnover()
        for group in ([c, d], [d, e], [c, d, e]):
            control_plane.set(build.endpoints("v2", *(each.address for each in group)))
            await load.answered_by(*(each.name.encode() for each in group))
            await load.turnover()
        # Servers are killed and come back.
        for server in (c, d, e):
            address = server.address
            await server.stop(None)
            await load.turnover()
            await server.start(address)
            await load.answered_by(server.name.encode())
        # So does the control plane, which has news when it does.
        port = control_plane.port
        await control_plane.stop()
        await load.turnover()
        control_plane.resources[build.CDS]["v3"] = build.cluster("v3")
        control_plane.resources[build.EDS]["v3"] = build.endpoints("v3", a.address)
        control_plane.resources[build.RDS][NAME] = build.route_config(NAME, to("v3"))
        await control_plane.start(port)
        await load.answered_by(b"a")
        await load.turnover()
        # And pushes of the same, as fast as they can be made.
        for _ in range(50):
            control_plane.set(build.route_config(NAME, to("v3")), build.endpoints("v3", a.address, b.address))
            await load.calls(1)
        await load.end()


@pytest.mark.usefixtures("quick_collections")
async def test_a_server_that_dies_costs_no_call_that_was_not_with_it(control_plane: FakeControlPlane) -> None:
    """Without a retry policy: what fails was on its way when the server died."""
    backends = await gather_backends("a", "b")
    a, b = backends.values()
    async with proxyless.Client(bootstrap_for(control_plane)) as mesh:
        control_plane.set(*build.service(NAME, {"c": [a.address, b.address]}, [build.route("c")]))
        multicallable = mesh.channel(TARGET).unary_unary(METHOD)
        answers: set[bytes] = set()
        while len(answers) < 2:
            answers.add(await multicallable(b"", timeout=20))
        await a.stop(None)
        # The news of it has not reached the event loop yet; where gRPC's core hears of it between our look at
        # the connection and the call's start, the call is made anew.
        results = [await multicallable(b"", timeout=20) for _ in range(50)]
        assert set(results) == {b"b"}
    await b.stop()


def requests_of(kind: str, how: str) -> Any:
    """What a call of this kind is made with: a stream of requests as an iterator of either sort, or none."""

    async def one_by_one() -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"

    if kind.startswith("unary"):
        return b""
    return {"iterable": [b"1", b"2"], "async": one_by_one(), "written": None}[how]


async def answer_of(call: Any, kind: str, requests: Any) -> bytes:
    """The first answer of a call, which is written to where it was given no requests."""
    if requests is None:
        await call.write(b"1")
        if kind == "stream_unary":
            await call.write(b"2")
        await call.done_writing()
    answer: bytes = await call if kind.endswith("unary") else await call.read()
    return answer


@asynccontextmanager
async def an_endpoint_gone_unseen(
    control_plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch, *, decided: bool = False
) -> AsyncIterator[proxyless.Channel]:
    """Of two servers one goes in the moment between the look at its connection and the call's start.

    As if that moment were as long as the calls last: nobody looks, and no news comes. Each call can be
    `decided` by itself.
    """
    route = build.route("c")
    if decided:
        route["request_headers_to_add"] = [{"header": {"key": "decided", "value": "alone"}}]
    backends = await gather_backends("a", "b")
    a, b = backends.values()
    async with proxyless.Client(bootstrap_for(control_plane)) as mesh:
        control_plane.set(*build.service(NAME, {"c": [a.address, b.address]}, [route]))
        channel = mesh.channel(TARGET)
        answers: set[bytes] = set()
        while len(answers) < 2:
            answers.add(await channel.unary_unary(METHOD)(b"", timeout=20))
        monkeypatch.setattr(Subchannel, "connected", lambda _: True)
        monkeypatch.setattr(Subchannel, "tell", lambda *_: None)
        (gone,) = (link for link in mesh.pool._active.values() if link.key.address == a.address)
        assert gone.channel is not None
        await a.stop(None)
        # Before gRPC itself has noticed, a call leaves, and is broken off.
        await gone.channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        yield channel
    await b.stop()


@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("decided", [False, True], ids=["at once", "decided"])
@pytest.mark.parametrize("waits", [None, True], ids=["", "waits for recovery"])
@pytest.mark.parametrize(
    ("kind", "how"),
    [("unary_unary", ""), ("unary_stream", "")]
    + [(kind, how) for kind in ("stream_unary", "stream_stream") for how in ("iterable", "async", "written")],
)
async def test_a_call_that_could_not_leave_is_made_anew(
    kind: str,
    how: str,
    waits: bool | None,
    decided: bool,
    control_plane: FakeControlPlane,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with an_endpoint_gone_unseen(control_plane, monkeypatch, decided=decided) as channel:
        make = getattr(channel, kind)(f"/test.Service/{kind.title().replace('_', '')}")
        for _ in range(10):
            requests = requests_of(kind, how)
            answer = await answer_of(make(requests, timeout=20, wait_for_ready=waits), kind, requests)
            # Whole, with what it was sent behind it.
            assert answer == b"b" + {"stream_unary": b":1:2", "stream_stream": b":1"}.get(kind, b"")


@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("decided", [False, True], ids=["at once", "decided"])
@pytest.mark.parametrize("requests", [None, []], ids=["written", "iterable"])
async def test_a_call_without_requests_is_made_anew_as_well(
    requests: list[bytes] | None,
    decided: bool,
    control_plane: FakeControlPlane,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with an_endpoint_gone_unseen(control_plane, monkeypatch, decided=decided) as channel:
        for _ in range(10):
            call = channel.stream_stream("/test.Service/StreamStream")(requests, timeout=20)
            if requests is None:
                await call.done_writing()
            assert [each async for each in call] == []
            assert await call.code() is grpc.StatusCode.OK


@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("decided", [False, True], ids=["at once", "decided"])
@pytest.mark.parametrize("iterated", [True, False])
async def test_a_first_request_that_takes_its_time_reaches_the_attempt_that_counts(
    iterated: bool, decided: bool, control_plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt has failed long before, and was waiting for the request."""
    async with an_endpoint_gone_unseen(control_plane, monkeypatch, decided=decided) as channel:
        for _ in range(4):
            retried = asyncio.Event()

            async def late(retried: asyncio.Event = retried) -> AsyncIterator[bytes]:
                await retried.wait()
                yield b"1"
                yield b"2"

            call = channel.stream_stream("/test.Service/StreamStream")(late(), timeout=20)
            asyncio.get_running_loop().call_later(0.1, retried.set)
            answers = [each async for each in call] if iterated else [await call.read(), await call.read()]
            assert answers == [b"b:1", b"b:2"]


async def test_what_a_server_quotes_of_grpc_is_its_own_answer(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    """It passes on why it cannot reach somebody else; the call itself has arrived, and is made once."""

    async def quote(context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: no")

    async with Backend("v1", quote) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [build.route("c")]))
        channel = mesh.channel(TARGET)
        await channel.channel_ready()
        for wait in (None, True):  # started at once, and seen to
            with pytest.raises(aio.AioRpcError, match="failed to connect to all addresses"):
                await channel.unary_unary(METHOD)(b"", timeout=20, wait_for_ready=wait)
        assert len(backend.calls) == 2


@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("how", ["at once", "with a retry policy", "a stub each"])
async def test_calls_leave_nothing_in_memory(
    how: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    route = build.route("c")
    control_plane.set(
        *build.service(
            NAME, {"c": [v1.address]}, [with_retry(route) if how == "with a retry policy" else route]
        )
    )
    channel = mesh.channel(TARGET)
    await channel.channel_ready()
    kept = channel.unary_unary(METHOD)

    async def drive(calls: int) -> int:
        for _ in range(calls):
            multicallable = channel.unary_unary(METHOD, lambda m: m) if how == "a stub each" else kept
            await multicallable(b"", timeout=20)
        v1.calls.clear()
        gc.collect()
        return len(gc.get_objects())

    warm = await drive(1_000)
    assert await drive(7_000) - warm < 200


async def test_a_call_that_ends_while_it_is_written_to_is_counted_out_once(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News
) -> None:
    """grpc.aio may call a done callback twice; a subchannel that drains must not be closed for it."""
    hold = asyncio.Event()

    async def wait(context: Any) -> None:
        await hold.wait()

    async with Backend("v1", wait) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [build.route("c")]))
        channel = mesh.channel(TARGET)
        await channel.channel_ready()
        slow = channel.unary_unary(METHOD)(b"", timeout=20)
        (subchannel,) = mesh.pool._active.values()
        ended = channel.unary_unary(METHOD)(b"", timeout=20)
        ended.cancel()
        ended._first_ended(ended._call)
        assert len(subchannel.in_flight) == 1
        control_plane.set(build.endpoints("c"))
        await news.until(lambda: subchannel.draining)
        hold.set()
        assert await slow == b"v1"
        assert await slow.code() is grpc.StatusCode.OK
