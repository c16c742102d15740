"""How calls, channels and programs end: in a back-off, in a delay, by impatience, without cleaning up."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import proxyless
import pytest
from grpc import aio
from proxyless import entry
from proxyless.breaker import ACTIVE_FAULTS

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.patience import Patient, Retries
from tests.fakes.scripted import Scripted

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import LANE, lane_routes, with_fault, with_retry

LONG_BACKOFF = {"retry_back_off": {"base_interval": "60s", "max_interval": "60s"}}


@pytest.fixture
async def unavailable(control_plane: FakeControlPlane) -> AsyncIterator[Scripted]:
    """A server whose calls are retried, but not before a minute has passed."""
    async with Scripted() as server:
        route = with_retry(build.route("c"), **LONG_BACKOFF)
        control_plane.set(*build.service(NAME, {"c": [server.address]}, [route]))
        yield server


def refused(mesh: proxyless.Channel | proxyless.Client, requests: Any = (b"a",)) -> Any:
    """A call whose first attempt fails with UNAVAILABLE."""
    channel = mesh.channel(TARGET) if isinstance(mesh, proxyless.Client) else mesh
    return channel.stream_unary("/unavailable/StreamUnary")(requests)


async def in_backoff(call: Any, server: Scripted) -> None:
    """Wait until the first attempt has failed."""
    await asyncio.wait([call._attempt])
    await call._attempt.result().code()
    assert server.attempts == 1 and not call.done()


# --- back-off ---------------------------------------------------------------------------------------------


async def test_cancelling_in_a_backoff(mesh: proxyless.Client, unavailable: Scripted) -> None:
    call = refused(mesh)
    await in_backoff(call, unavailable)
    assert call.cancel() and call.cancelled() and call.done()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert unavailable.attempts == 1


async def test_a_deadline_before_the_next_attempt_ends_the_call_with_the_reason(
    mesh: proxyless.Client, unavailable: Scripted
) -> None:
    """gRPC would wait for the deadline and say no more than that; the answer will not get better."""
    call = mesh.channel(TARGET).unary_unary("/unavailable/UnaryUnary")(b"", timeout=30)
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert await call.details() == "come back later"


@pytest.mark.parametrize("what", ["channel", "client"])
async def test_closing_in_a_backoff(
    what: str, control_plane: FakeControlPlane, unavailable: Scripted
) -> None:
    before = asyncio.all_tasks()
    rng, retries = Patient(1.2), Retries()
    async with proxyless.Client(bootstrap_for(control_plane), rng=rng, observer=retries) as mesh:
        channel = mesh.channel(TARGET)
        call = refused(channel)
        await rng.waits.wait()
        await (channel if what == "channel" else mesh).close()
        assert await call.code() is grpc.StatusCode.CANCELLED
    assert not retries.told, "no attempt follows"
    del call
    tasks = map(repr, asyncio.all_tasks() - before)
    left = [task for task in tasks if "Dispatcher.run" in task or "Channel._bring" in task]
    assert not left


async def test_closing_the_client_in_an_injected_delay(control_plane: FakeControlPlane, v1: Backend) -> None:
    delay = {"fixed_delay": "600s", "percentage": {"numerator": 100}}
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [with_fault(build.route("c"), delay=delay)]))
    async with proxyless.Client(bootstrap_for(control_plane)) as mesh:
        channel = mesh.channel(TARGET)
        call = channel.unary_unary(METHOD)(b"")
        while not ACTIVE_FAULTS.value:
            await channel._active.changed()
            await asyncio.sleep(0)
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert not v1.calls


async def test_an_iterator_that_fails_in_a_backoff_never_sends_half_a_stream(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    failed = asyncio.Event()

    async def requests() -> AsyncIterator[bytes]:
        yield b"a"
        await failed.wait()
        raise ValueError("no more")

    async def refuse_once(context: Any) -> None:
        if len(backend.calls) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    async with Backend("v1", refuse_once) as backend:
        route = with_retry(build.route("c"), retry_back_off={"base_interval": "0.2s"})
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        call = mesh.channel(TARGET).stream_unary("/s/StreamUnary")(requests(), timeout=20)
        await asyncio.wait([call._attempt])
        assert await call._attempt.result().code() is grpc.StatusCode.UNAVAILABLE
        failed.set()
        # Which of the two comes first is open; that the half that was read counts for the whole is not.
        with pytest.raises((asyncio.CancelledError, aio.AioRpcError)):
            await call


async def test_a_retry_that_waits_for_ready_outlives_its_endpoint(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v2: Backend
) -> None:
    async def refuse(context: Any) -> None:
        control_plane.set(build.endpoints("c"))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "going")

    async with Backend("v1", refuse) as backend:
        route = with_retry(build.route("c"), retry_back_off={"base_interval": "0.2s"})
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        channel = mesh.channel(TARGET)
        call = channel.unary_unary(METHOD)(b"", timeout=20, wait_for_ready=True)
        # Others see that nobody is left; this one waits.
        while (failed := await channel.unary_unary(METHOD)(b"", timeout=20).details()) == "going":
            pass
        assert "no endpoints" in failed
        control_plane.set(build.endpoints("c", v2.address))
        assert await call == b"v2"


# --- streams ----------------------------------------------------------------------------------------------


async def test_a_server_that_ends_first_leaves_no_reader_of_writes(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Scripted() as server:
        control_plane.automatic = False
        before = asyncio.all_tasks()
        call = mesh.channel(TARGET).stream_stream("/early/StreamStream")()
        await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
        control_plane.automatic = True
        control_plane.set(*build.service(NAME, {"c": [server.address]}, [build.route("c")]))
        assert [each async for each in call] == [b"early"]
        readers = [task for task in asyncio.all_tasks() - before if "_consume_request" in repr(task)]
        if readers:
            await asyncio.wait(readers)


async def test_impatience_with_a_close_still_closes(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Scripted() as server:
        control_plane.set(*build.service(NAME, {"c": [server.address]}, [build.route("c")]))
        channel = mesh.channel(TARGET)
        call = channel.unary_unary("/hang/UnaryUnary")(b"")
        await server.reached.wait()
        closing = asyncio.create_task(channel.close(grace=600))
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        assert await call.code() is grpc.StatusCode.CANCELLED
        assert not mesh._targets


class Broken(aio.UnaryUnaryClientInterceptor):
    """Fails when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        await self.go.wait()
        raise ValueError("broken")


async def test_a_close_with_grace_says_nothing_of_what_calls_fail_with(mesh: proxyless.Client) -> None:
    said: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    interceptor = Broken()
    channel = mesh.channel(TARGET, interceptors=[interceptor])
    call = channel.unary_unary(METHOD)(b"")
    closing = asyncio.create_task(channel.close(grace=20))
    await asyncio.sleep(0)
    interceptor.go.set()
    with pytest.raises(ValueError, match="broken"):
        await call
    await closing
    del closing
    gc.collect()
    assert not said


# --- fallback under churn ---------------------------------------------------------------------------------


async def test_fallback_while_the_lane_comes_and_goes(
    control_plane: FakeControlPlane, v1: Backend, v2: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, lane_routes()))
    async with proxyless.Client(bootstrap_for(control_plane), fallback="next-route") as mesh:
        multicallable = mesh.channel(TARGET).unary_unary(METHOD)
        answered = asyncio.Event()
        answers: list[bytes] = []
        stop = False

        async def caller() -> None:
            while not stop:
                answers.append(await multicallable(b"", metadata=LANE, timeout=20))
                answered.set()

        async def until(name: bytes) -> None:
            while name not in answers[-50:]:
                answered.clear()
                await answered.wait()

        callers = [asyncio.create_task(caller()) for _ in range(50)]
        await until(b"v2")
        for _ in range(20):
            control_plane.set(build.endpoints("v2"))
            await until(b"v1")
            control_plane.set(build.endpoints("v2", v2.address))
            await until(b"v2")
        stop = True
        await asyncio.gather(*callers)
        assert set(answers) == {b"v1", b"v2"}


# --- the shared client ------------------------------------------------------------------------------------


@pytest.fixture
def environment(control_plane: FakeControlPlane, v1: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDS_ADDRESS", control_plane.address)
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))


@pytest.mark.usefixtures("environment")
async def test_channels_made_and_closed_at_once(control_plane: FakeControlPlane) -> None:
    async def use(turns: int) -> None:
        for _ in range(turns):
            async with proxyless.insecure_channel(TARGET) as channel:
                assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"

    await asyncio.gather(*(use(1 + i % 5) for i in range(20)))
    assert not entry._shared[asyncio.get_running_loop()]
    await control_plane.until(lambda: not control_plane.streams)


PROGRAM = """
import asyncio, gc, sys, threading, weakref
import proxyless
from proxyless import entry

async def call():
    channel = proxyless.insecure_channel("xds:///reviews:9080")
    assert await channel.unary_unary("/s/UnaryUnary")(b"", timeout=20) == b"v1"
    return channel

async def closing():
    for _ in range(50):
        await (await call()).close()

async def waiting():
    await call()
    channel = proxyless.insecure_channel("xds:///absent:1")
    waiting.call = channel.unary_unary("/s/UnaryUnary")(b"", wait_for_ready=True)
    await asyncio.sleep(0)

async def leaving():
    await call()
    sys.exit(0)

async def hold(called):
    async with proxyless.Client(proxyless.Bootstrap.from_env()) as mesh:
        method = mesh.channel("xds:///reviews:9080").unary_unary("/s/UnaryUnary")
        assert await method(b"", timeout=20) == b"v1"
        called.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.wait([mesh._task])

async def beside():
    called = asyncio.Event()
    beside.task = asyncio.create_task(hold(called))
    await called.wait()
"""

PROGRAMS = {
    "an open channel": "asyncio.run(call())",
    "a channel in a global": "channel = asyncio.run(call())",
    "a call that waits": "asyncio.run(waiting())",
    "sys.exit": "asyncio.run(leaving())",
    "a Client that a task closes last": "asyncio.run(beside())",
    "a loop closed by hand": "loop = asyncio.new_event_loop()\nloop.run_until_complete(call())\nloop.close()",
    "a loop after the other": """
for _ in range(3):
    loop = asyncio.new_event_loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(call())
    assert list(entry._shared) == [loop]
""",
    "two threads": """
threads = [threading.Thread(target=asyncio.run, args=(closing(),)) for _ in range(2)]
for each in threads: each.start()
for each in threads: each.join()
""",
}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("name", PROGRAMS)
async def test_programs_that_do_not_clean_up_end_quietly(name: str) -> None:
    command = (sys.executable, "-X", "dev", "-c", PROGRAM + PROGRAMS[name])
    environment = {**os.environ, "GRPC_VERBOSITY": "ERROR"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
    out, err = await asyncio.wait_for(process.communicate(), 40)
    # asyncio's debug mode tells what took long, as anything may on a busy machine.
    said = [line for line in err.splitlines() if not line.startswith(b"Executing <")]
    assert (process.returncode, out, said) == (0, b"", [])
