"""Retries of calls with a stream of responses: until the first, or headers that say something (gRFC A6)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import proxyless
import pytest
import pytest_asyncio
from grpc import StatusCode, aio

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.scripted import Scripted

from .conftest import NAME, TARGET
from .routing import with_retry

KINDS = ("unary_stream", "stream_stream")
QUICK = {"retry_back_off": {"base_interval": "0.001s"}}


@pytest_asyncio.fixture
async def server(control_plane: FakeControlPlane) -> AsyncIterator[Scripted]:
    """A server to which calls are retried once."""
    async with Scripted() as server:
        serve(control_plane, server)
        yield server


def serve(control_plane: FakeControlPlane, server: Scripted, **policy: Any) -> None:
    route = with_retry(build.route("c"), **{"num_retries": 1, **QUICK, **policy})
    control_plane.set(*build.service(NAME, {"c": [server.address]}, [route]))


def calls(mesh: proxyless.Client, kind: str, what: str) -> Any:
    """A call of what `Scripted` can do."""
    method = f"/{what}/{kind.title().replace('_', '')}"
    return getattr(mesh.channel(TARGET), kind)(method)(b"a" if kind == "unary_stream" else [b"a"], timeout=20)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["iterate", "read"])
async def test_an_attempt_that_fails_before_it_answers_is_made_again(
    how: str, kind: str, mesh: proxyless.Client, server: Scripted
) -> None:
    call = calls(mesh, kind, "second")
    answers = [each async for each in call] if how == "iterate" else [await call.read(), await call.read()]
    assert answers == ([b"a"] if how == "iterate" else [b"a", aio.EOF])
    assert (server.attempts, await call.code()) == (2, StatusCode.OK)


async def test_what_was_written_is_written_again(mesh: proxyless.Client, server: Scripted) -> None:
    call: Any = mesh.channel(TARGET).stream_stream("/second/StreamStream")(timeout=20)
    for letter in (b"a", b"b", b"c"):
        await call.write(letter)
        assert await call.read() == letter
    await call.done_writing()
    assert await call.read() is aio.EOF
    assert server.attempts == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_an_attempt_that_has_answered_is_the_one_that_counts(
    kind: str, mesh: proxyless.Client, server: Scripted
) -> None:
    call = calls(mesh, kind, "fail_late")
    assert await call.read() == b"first"
    with pytest.raises(aio.AioRpcError, match="enough"):
        await call.read()
    assert (server.attempts, await call.code()) == (1, StatusCode.UNAVAILABLE)
    assert (await call.trailing_metadata())["why"] == "gone"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_last_attempt_s_failure_is_the_caller_s(
    kind: str, mesh: proxyless.Client, server: Scripted
) -> None:
    call = calls(mesh, kind, "unavailable")
    with pytest.raises(aio.AioRpcError, match="come back later"):
        _ = [each async for each in call]
    assert (server.attempts, await call.code()) == (2, StatusCode.UNAVAILABLE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["headers", "bare"])
async def test_who_asks_for_headers_gets_them_before_any_answer(
    what: str, kind: str, mesh: proxyless.Client, server: Scripted
) -> None:
    call = calls(mesh, kind, what)
    headers = await call.initial_metadata()
    assert headers.get("served") == ("yes" if what == "headers" else None)
    server.release.set()
    assert [each async for each in call] == [b"a"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_time_of_an_attempt_ends_with_its_first_answer(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, server: Scripted
) -> None:
    """So does Envoy's per_try_timeout; a stream may last."""
    serve(control_plane, server, retry_on="reset", per_try_timeout="0.2s")
    call = calls(mesh, kind, "slow_at_first")
    assert await call.read() == b"first"
    assert server.attempts == 2
    assert call.time_remaining() > 10
    server.release.set()
    assert await call.read() is aio.EOF


@pytest.mark.parametrize("kind", KINDS)
async def test_an_attempt_that_may_not_be_made_again_fails_with_its_time(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, server: Scripted
) -> None:
    serve(control_plane, server, retry_on="unavailable", per_try_timeout="0.1s")
    call = calls(mesh, kind, "hang")
    with pytest.raises(aio.AioRpcError, match="per_try_timeout") as caught:
        await call.read()
    assert caught.value.code() is await call.code() is StatusCode.DEADLINE_EXCEEDED
    assert server.attempts == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_can_be_cancelled_before_it_is_answered(
    kind: str, mesh: proxyless.Client, server: Scripted
) -> None:
    call = calls(mesh, kind, "hang")
    reading = asyncio.ensure_future(call.read())
    await server.reached.wait()
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (call.cancelled(), await call.code()) == (True, StatusCode.CANCELLED)
    assert server.attempts == 1


async def test_nobody_is_told_of_a_failure_that_nobody_reads(
    mesh: proxyless.Client, server: Scripted
) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    call = calls(mesh, "unary_stream", "unavailable")
    assert await call.code() is StatusCode.UNAVAILABLE
    del call
    await mesh.close()
    gc.collect()
    # Other complaints are news for the loops of tests before this one, where somebody held a failed call.
    assert [each for each in complaints if "never retrieved" in each["message"]] == []
