"""Envoy's retry conditions on gRPC calls, against peers that really end them that way; limits of retries."""

from __future__ import annotations

import asyncio
from typing import Any

import proxyless
import pytest
from grpc import StatusCode, aio
from proxyless.breaker import RETRIES
from proxyless.endings import Ending, ending

from tests.fakes import http2
from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import with_retry

REFUSED, INTERNAL, CANCEL = http2.reset(7), http2.reset(2), http2.reset(8)


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        (REFUSED, StatusCode.UNAVAILABLE, Ending("refused-stream")),
        (http2.go_away, StatusCode.UNAVAILABLE, Ending("refused-stream")),
        (INTERNAL, StatusCode.INTERNAL, Ending("reset")),
        (CANCEL, StatusCode.CANCELLED, Ending("reset")),
        (http2.hang_up, StatusCode.UNAVAILABLE, Ending("reset")),
        (http2.http(503), StatusCode.UNAVAILABLE, Ending(None, 503)),
        (http2.http(409), StatusCode.UNKNOWN, Ending(None, 409)),
        (http2.grpc(14), StatusCode.UNAVAILABLE, Ending()),
        (None, StatusCode.UNAVAILABLE, Ending("connect-failure")),
    ],
)
async def test_grpc_words_it_as_we_read_it(end: Any, code: StatusCode, told: Ending) -> None:
    """Holds `endings` to the installed grpcio; what the details say is all that it tells."""
    async with http2.Peer(end) as peer:
        address = peer.address
        if end is None:
            await peer.__aexit__(None, None, None)
        async with aio.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as channel:
            with pytest.raises(aio.AioRpcError) as caught:
                await channel.unary_unary(METHOD)(b"", timeout=20)
    assert (caught.value.code(), ending(caught.value.details())) == (code, told)


@pytest.mark.parametrize(
    ("retry_on", "end", "retried"),
    [
        ("reset", INTERNAL, True),
        ("reset", http2.hang_up, True),
        ("5xx", CANCEL, True),
        ("gateway-error", http2.hang_up, True),
        ("refused-stream", INTERNAL, False),
        ("connect-failure", http2.hang_up, False),
        ("5xx", http2.http(500), True),
        ("gateway-error", http2.http(500), False),
        ("gateway-error", http2.http(502), True),
        ("retriable-status-codes", http2.http(503), True),
        ("retriable-status-codes", http2.http(502), False),
        ("retriable-4xx", http2.http(409), True),
        # A server's own status is no transport's failure.
        ("5xx,gateway-error,reset,connect-failure,refused-stream", http2.grpc(14), False),
        ("unavailable", http2.grpc(14), True),
        ("unavailable", INTERNAL, False),
    ],
)
@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
async def test_what_is_retried(
    kind: str, retry_on: str, end: Any, retried: bool, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with http2.Peer(end) as peer:
        route = with_retry(build.route("c"), retry_on=retry_on, retriable_status_codes=[503])
        control_plane.set(*build.service(NAME, {"c": [peer.address]}, [route]))
        async with mesh.channel(TARGET) as channel:
            call = getattr(channel, kind)(METHOD)
            answer = call(b"" if kind.startswith("unary") else [b""], timeout=20)
            if retried:
                assert (await answer if kind.endswith("unary") else await answer.read()) == b"yes"
            else:
                assert await answer.code() is not StatusCode.OK
            assert peer.requests == 1 + retried


async def test_retries_at_once_are_limited_in_the_whole_process(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    go, again = asyncio.Event(), asyncio.Semaphore(0)

    async def fail(context: aio.ServicerContext[Any, Any]) -> None:
        if len(backend.calls) == 2:  # the first call's second attempt
            again.release()
            await go.wait()
        else:
            await context.abort(StatusCode.UNAVAILABLE, "as told")

    async with Backend("v1", fail) as backend, proxyless.Client(bootstrap_for(control_plane)) as other:
        route = with_retry(build.route("c"), num_retries=1, retry_back_off={"base_interval": "0.001s"})
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        control_plane.set(build.cluster("c", circuit_breakers={"thresholds": [{"max_retries": 1}]}))
        one, two = (each.channel(TARGET).unary_unary(METHOD) for each in (mesh, other))
        held = asyncio.ensure_future(one(b"", timeout=20))
        await again.acquire()
        with pytest.raises(aio.AioRpcError, match="as told"):
            await two(b"", timeout=20)
        assert len(backend.calls) == 3  # it was not tried again
        go.set()
        assert await held == b"v1"
        assert RETRIES.of(("c", "c")).value == 0
        with pytest.raises(aio.AioRpcError, match="as told"):
            await two(b"", timeout=20)
        assert len(backend.calls) == 5  # there is room again
        decision = await mesh.explain(TARGET, method=METHOD)
        assert decision.balancing is not None and decision.balancing["max_retries"] == 1


async def test_a_call_that_ends_in_its_backoff_leaves_its_place(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def fail(context: aio.ServicerContext[Any, Any]) -> None:
        await context.abort(StatusCode.UNAVAILABLE, "as told")

    async with Backend("v1", fail) as backend, proxyless.Client(bootstrap_for(control_plane)) as other:
        back_off = {"base_interval": "60s", "max_interval": "60s"}
        route = with_retry(build.route("c"), retry_back_off=back_off)
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        control_plane.set(build.cluster("c", circuit_breakers={"thresholds": [{"max_retries": 1}]}))
        call = mesh.channel(TARGET).stream_unary("/test.Service/StreamUnary")([b""])
        await asyncio.wait([call._attempt])
        await call._attempt.result().code()
        with pytest.raises(aio.AioRpcError, match="as told"):
            await other.channel(TARGET).unary_unary(METHOD)(b"")  # or it would wait for a minute
        assert RETRIES.of(("c", "c")).value == 1
        assert call.cancel()
        await asyncio.wait([call._task])
        assert RETRIES.of(("c", "c")).value == 0


async def test_a_status_that_meets_a_write_is_retried_for_what_it_is(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    """grpc.aio calls it INTERNAL in one of twenty such calls."""

    async def fail_first(context: aio.ServicerContext[Any, Any]) -> None:
        if len(backend.calls) % 2:
            await context.abort(StatusCode.UNAVAILABLE, "as told")

    async with Backend("v1", fail_first) as backend:
        route = with_retry(build.route("c"), retry_back_off={"base_interval": "0.001s"})
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        method = mesh.channel(TARGET).stream_unary("/test.Service/StreamUnary")
        for _ in range(150):
            assert await method([b"a", b"b", b"c"], timeout=20) == b"v1:a:b:c"
