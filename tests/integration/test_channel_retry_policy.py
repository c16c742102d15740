"""The drop-in channel: what the retry policy of a route says."""

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
from .routing import call, unavailable_first, with_retry


async def test_a_retry_goes_to_another_host(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v2: Backend
) -> None:
    async with Backend("down", unavailable_first(1000)) as down:
        control_plane.set(
            *build.service(NAME, {"c": [down.address, v2.address]}, [with_retry(build.route("c"))])
        )
        channel = mesh.channel(TARGET)
        answers = [await channel.unary_unary(METHOD)(b"", timeout=20) for _ in range(10)]
        assert answers == [b"v2"] * 10
        assert down.calls, "round robin must have tried the other one"


async def test_retries_end_with_the_last_error(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Backend("down", unavailable_first(1000)) as down:
        control_plane.set(*build.service(NAME, {"c": [down.address]}, [with_retry(build.route("c"))]))
        with pytest.raises(aio.AioRpcError) as caught:
            await call(mesh)
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "not now")
        assert len(down.calls) == 3


async def test_a_streamed_request_is_sent_again(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    accepted = asyncio.Event()
    refuse = unavailable_first(2)

    async def refuse_twice(context: Any) -> None:
        await refuse(context)
        accepted.set()

    async def requests() -> AsyncIterator[bytes]:
        yield b"a"
        # Not before: grpc.aio reports INTERNAL for a call that ends while it is being written to.
        await accepted.wait()
        yield b"b"

    async with Backend("v1", refuse_twice) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [with_retry(build.route("c"))]))
        multicallable = mesh.channel(TARGET).stream_unary("/s/StreamUnary")
        assert await multicallable(requests(), timeout=20) == b"v1:a:b"
        assert len(backend.calls) == 3


@pytest.mark.parametrize(
    ("code", "attempts"),
    [(grpc.StatusCode.INTERNAL, 1), (grpc.StatusCode.CANCELLED, 3), (grpc.StatusCode.NOT_FOUND, 1)],
)
async def test_only_the_named_codes_are_retried(
    code: grpc.StatusCode, attempts: int, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def fail(context: Any) -> None:
        await context.abort(code, "no")

    async with Backend("v1", fail) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [with_retry(build.route("c"))]))
        with pytest.raises(aio.AioRpcError) as caught:
            await call(mesh)
        assert caught.value.code() is code
        assert len(backend.calls) == attempts


async def test_push_back_says_no(control_plane: FakeControlPlane, mesh: proxyless.Client) -> None:
    async def fail(context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "no", (("grpc-retry-pushback-ms", "-1"),))

    async with Backend("v1", fail) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [with_retry(build.route("c"))]))
        with pytest.raises(aio.AioRpcError):
            await call(mesh)
        assert len(backend.calls) == 1


@pytest.mark.parametrize(("retry_on", "attempts"), [("reset", 3), ("5xx", 3), ("unavailable", 1)])
async def test_an_attempt_that_takes_too_long_is_followed_by_another(
    retry_on: str, attempts: int, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def hang(context: Any) -> None:
        if len(slow.calls) < 3:
            await asyncio.Event().wait()

    async with Backend("slow", hang) as slow:
        route = with_retry(build.route("c"), retry_on=retry_on, per_try_timeout="0.1s")
        control_plane.set(*build.service(NAME, {"c": [slow.address]}, [route]))
        if attempts == 3:
            assert await call(mesh) == b"slow"
        else:
            with pytest.raises(aio.AioRpcError) as caught:
                await call(mesh)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len(slow.calls) == attempts
        decision = await mesh.explain(TARGET, method=METHOD)
        assert decision.retry is not None and decision.retry["per_try_timeout"] == 0.1


async def test_the_deadline_goes_before_the_time_of_an_attempt(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def hang(context: Any) -> None:
        await asyncio.Event().wait()

    async with Backend("slow", hang) as slow:
        route = with_retry(build.route("c"), retry_on="reset", per_try_timeout="60s")
        control_plane.set(*build.service(NAME, {"c": [slow.address]}, [route]))
        ended = asyncio.ensure_future(call(mesh, timeout=1))
        await mesh.explain(TARGET, method=METHOD)
        with pytest.raises(aio.AioRpcError) as caught:
            await ended
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len(slow.calls) == 1
