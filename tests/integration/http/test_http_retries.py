"""What becomes of an HTTP request when endpoints fail: retries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import proxyless
import proxyless.http
import pytest

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.integration.http.conftest import NAME, URL
from tests.integration.http.requests import one_cluster, retries, text, times


@pytest.mark.parametrize(
    ("on", "answer", "attempts", "status"),
    [
        ("5xx", (503,), 3, 200),
        ("5xx", (500,), 3, 200),
        ("gateway-error", (502,), 3, 200),
        ("gateway-error", (500,), 1, 500),
        ("retriable-4xx", (409,), 3, 200),
        ("retriable-4xx", (404,), 1, 404),
        ("unavailable", (503,), 1, 503),  # gRPC's conditions say nothing of HTTP
        ("connect-failure", (503,), 1, 503),
    ],
)
async def test_conditions_on_what_is_answered(
    control_plane: FakeControlPlane,
    session: aiohttp.ClientSession,
    on: str,
    answer: tuple[Any, ...],
    attempts: int,
    status: int,
) -> None:
    async with HttpBackend("v1", times(2, *answer)) as backend:
        control_plane.set(*one_cluster(backend, **retries(on)))
        async with session.post(URL, data=b"body") as response:
            assert response.status == status
            await response.read()
        assert len(backend.requests) == attempts
        assert backend.bodies == [b"body"] * attempts


@pytest.mark.parametrize(
    "policy",
    [
        retries("retriable-status-codes", retriable_status_codes=[418]),
        retries("retriable-headers", retriable_headers=[build.header("x-again", present_match=True)]),
    ],
)
async def test_retriable_status_codes_and_headers(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, policy: dict[str, Any]
) -> None:
    async with HttpBackend("v1", times(2, 418, ("X-Again", "yes"))) as backend:
        control_plane.set(*one_cluster(backend, **policy))
        assert await text(session) == "v1"
        assert len(backend.requests) == 3


async def test_a_retry_goes_to_another_endpoint(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    async with HttpBackend("bad", times(-1, 503)) as bad:
        control_plane.set(*one_cluster(v1, bad, **retries("5xx")))
        assert {await text(session) for _ in range(8)} == {"v1"}
        assert bad.requests


async def test_a_reset_is_retried_where_the_policy_says_so(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1", times(1, "reset")) as backend:
        control_plane.set(*one_cluster(backend, **retries("reset")))
        async with session.post(URL, data=b"x") as response:
            assert await response.text() == "v1"
        assert len(backend.requests) == 2


async def test_a_reset_without_a_policy_names_the_endpoint(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1", times(1, "reset")) as backend:
        control_plane.set(*one_cluster(backend))
        with pytest.raises(proxyless.http.EndpointError) as caught:
            await session.post(URL, data=b"x")
        assert f"xds:///{NAME}: route #0: cluster c: {backend.address}: " in str(caught.value)
        assert isinstance(caught.value.__cause__, aiohttp.ClientError)
        assert len(backend.requests) == 1


async def test_a_stream_that_was_read_is_not_sent_again(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with HttpBackend("v1", times(1, 503)) as backend:
        control_plane.set(*one_cluster(backend, **retries("5xx")))
        async with session.post(URL, data=chunks()) as response:
            assert response.status == 503
        assert backend.bodies == [b"onetwo"]


async def test_an_endpoint_that_is_gone_costs_no_request(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    async with HttpBackend("v2") as v2:
        control_plane.set(*one_cluster(v1, v2))
        while {await text(session) for _ in range(4)} != {"v1", "v2"}:
            pass
    for _ in range(20):  # no retry policy: a GET on a connection that was closed is sent again all the same
        assert await text(session) == "v1"


async def test_no_endpoint_can_be_reached(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1") as backend:
        pass
    control_plane.set(*one_cluster(backend))
    with pytest.raises(proxyless.http.UnavailableError) as caught:
        await session.get(URL)
    assert str(caught.value) == (
        f"xds:///{NAME}: route #0: cluster c: none of its 1 endpoints can be reached "
        f"({backend.address}: Connection refused)"
    )


async def test_an_endpoint_that_comes_back_is_used_again(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    backend = HttpBackend("v1")
    await backend.start()
    control_plane.set(*one_cluster(backend))
    assert await text(session) == "v1"
    address = backend.address
    await backend.stop()
    with pytest.raises(proxyless.http.HttpError):
        await session.get(URL)
    await backend.start(address)
    async with asyncio.timeout(10):
        await backend.until(lambda: backend.connections > 0)  # it is looked for all the time
        served = ""
        while not served:  # the other side of that connection is about to know
            await asyncio.sleep(0)
            with contextlib.suppress(proxyless.http.UnavailableError):
                served = await text(session)
    await backend.stop()
