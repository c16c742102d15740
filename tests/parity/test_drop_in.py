"""`mesh.channel(target)` in the place of `grpc.aio.insecure_channel(address)`: one program, one record.

One table of scenarios. Each is a program that uses a channel and notes what it sees: values, errors, the
order of events. It runs on a plain channel and on ours in four modes, and the records must be equal but for
the steps that a `Differs` names with its reason.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.scripted import Scripted
from tests.parity.drop_in import SCENARIOS
from tests.parity.drop_in.trial import (
    EARLY,
    INTERCEPTED,
    ISTIO_RETRY,
    NAME,
    RETRY,
    TARGET,
    Scenario,
    Trial,
)


class _UnaryUnary(aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(client_call_details, request)


class _UnaryStream(aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(client_call_details, request)


class _StreamUnary(aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(client_call_details, request_iterator)


class _StreamStream(aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(client_call_details, request_iterator)


def pass_through() -> list[Any]:
    return [_UnaryUnary(), _UnaryStream(), _StreamUnary(), _StreamStream()]


async def on_a_plain_channel(each: Scenario, kind: str, interceptors: Any) -> dict[str, Any]:
    async with Scripted() as server:
        channel = aio.insecure_channel(server.address, interceptors=interceptors)
        trial = Trial(kind, channel, server, bool(interceptors))
        async with asyncio.timeout(20):
            await each.run(trial)
        await channel.close()
    return trial.record


async def on_ours(each: Scenario, kind: str, mode: str) -> dict[str, Any]:
    async with Scripted() as server, FakeControlPlane(automatic=mode != EARLY) as plane:
        route = build.route("c")
        if mode == RETRY:
            route["route"]["retry_policy"] = ISTIO_RETRY
        config = build.service(NAME, {"c": [server.address]}, [route])
        bootstrap = proxyless.Bootstrap.from_env({"XDS_ADDRESS": plane.address, "POD_NAME": "test"})
        async with proxyless.Client(bootstrap) as mesh:
            channel = mesh.channel(TARGET, interceptors=pass_through() if mode == INTERCEPTED else None)

            async def configure() -> None:
                await plane.until(lambda: any(build.LDS in stream.names for stream in plane.streams))
                plane.automatic = True
                plane.set(*config)

            if mode == EARLY:
                configuring = asyncio.create_task(configure())
            else:
                plane.set(*config)
                await channel.channel_ready()
            trial = Trial(kind, channel, server, mode == INTERCEPTED)
            try:
                async with asyncio.timeout(20):
                    await each.run(trial)
            finally:
                if mode == EARLY:
                    configuring.cancel()
                    await asyncio.wait([configuring])
            await channel.close()
    return trial.record


@pytest.fixture
def noise() -> list[str]:
    return []


_plain: dict[tuple[str, str, bool], dict[str, Any]] = {}


def cases() -> Iterator[Any]:
    for each in SCENARIOS.values():
        for kind in each.kinds:
            for mode in each.modes:
                yield pytest.param(each, kind, mode, id=f"{each.name}-{kind}-{mode}")


@pytest.fixture(scope="module", autouse=True)
def young_heap() -> Iterator[None]:
    """Each row collects garbage twice: let it look at what this file makes, not at the whole session's."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def recorded(make: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Take a record that says something.

    grpc.aio reports INTERNAL for a call that ends while it is being written to, now and then and whatever
    its real status: a record with that in it is taken again.
    """
    for _ in range(5):
        record = await make()
        if "Internal error from Core" not in repr(record):
            break
    return record


@pytest.mark.parametrize(("each", "kind", "mode"), list(cases()))
async def test_the_record_is_the_plain_channel_s(
    each: Scenario, kind: str, mode: str, noise: list[str]
) -> None:
    loop = asyncio.get_running_loop()
    intercepted = mode == INTERCEPTED
    key = (each.name, kind, intercepted)
    if key not in _plain:
        _plain[key] = await recorded(
            lambda: on_a_plain_channel(each, kind, pass_through() if intercepted else None)
        )
    expected = dict(_plain[key])
    for differs in each.differs:
        if mode in differs.modes and kind in differs.kinds:
            for step, value in differs.steps.items():
                assert expected.get(step) != value, f"no longer differs: {step}"
            expected |= differs.steps
    gc.collect()
    before = asyncio.all_tasks()
    loop.set_exception_handler(lambda _, context: noise.append(str(context)))
    record = await recorded(lambda: on_ours(each, kind, mode))
    assert record == expected
    gc.collect()
    # What grpc.aio says of a loop that an earlier test has closed is none of ours.
    assert not [each for each in noise if "PollerCompletionQueue._handle_events" not in each]
    left = asyncio.all_tasks() - before
    if left:
        await asyncio.wait(left, timeout=5)
    assert all(task.done() for task in left), left
