"""Circuit breakers, drops and outliers of HTTP requests."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import proxyless
import proxyless.http
import pytest

from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.integration.http.conftest import URL
from tests.integration.http.requests import gate, one_cluster, retries, text, times


async def test_the_circuit_breaker_counts_until_the_response_is_read(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    hook, opened = gate()
    async with HttpBackend("v1", hook) as backend:
        breaker = {"circuit_breakers": {"thresholds": [{"max_requests": 2}]}}
        control_plane.set(*one_cluster(backend, cluster=breaker))
        waiting = [asyncio.create_task(text(session)) for _ in range(2)]
        await backend.came(2)
        with pytest.raises(proxyless.http.UnavailableError, match="circuit breaker: 2 calls are in flight"):
            await session.get(URL)
        opened.set()
        assert await asyncio.gather(*waiting) == ["v1", "v1"]
        assert [await text(session) for _ in range(5)] == ["v1"] * 5  # counted down, every one


async def test_a_request_that_is_given_up_is_counted_down(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    hook, opened = gate()
    async with HttpBackend("v1", hook) as backend:
        breaker = {"circuit_breakers": {"thresholds": [{"max_requests": 1}]}}
        control_plane.set(*one_cluster(backend, cluster=breaker))
        for round_ in range(3):
            waiting = asyncio.create_task(text(session))
            await backend.came(round_ + 1)
            waiting.cancel()
            await asyncio.wait([waiting])
        opened.set()
        assert await text(session) == "v1"


async def test_the_breaker_of_retries(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1", times(-1, 503)) as backend:
        breaker = {"circuit_breakers": {"thresholds": [{"max_retries": 0}]}}
        control_plane.set(*one_cluster(backend, cluster=breaker, **retries("5xx")))
        async with session.get(URL) as response:
            assert response.status == 503
        assert len(backend.requests) == 1


async def test_drops(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    made = one_cluster(v1)
    drop = made[3].policy.drop_overloads.add(category="lb")
    drop.drop_percentage.numerator = 100
    control_plane.set(*made)
    with pytest.raises(proxyless.http.UnavailableError, match=r"wants calls dropped \(lb\)"):
        await session.get(URL)


@pytest.mark.parametrize("how", [500, 503, "reset"])
async def test_an_endpoint_that_fails_is_ejected(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend, how: Any
) -> None:
    async with HttpBackend("bad", times(-1, how)) as bad:
        outliers = {"consecutive_5xx": 3, "max_ejection_percent": 50, "interval": "60s"}
        control_plane.set(*one_cluster(v1, bad, cluster={"outlier_detection": outliers}))
        for _ in range(40):
            with contextlib.suppress(proxyless.http.EndpointError):
                async with session.post(URL) as response:
                    await response.read()
        assert len(bad.requests) == 3


async def test_a_404_ejects_nobody(control_plane: FakeControlPlane, session: aiohttp.ClientSession) -> None:
    async with HttpBackend("v1", times(-1, 404)) as backend:
        control_plane.set(*one_cluster(backend, cluster={"outlier_detection": {"consecutive_5xx": 2}}))
        for _ in range(10):
            async with session.get(URL) as response:
                assert response.status == 404
