"""How long an HTTP request may take: by the route, by an attempt, by the caller."""

from __future__ import annotations

import asyncio

import aiohttp
import proxyless
import proxyless.http
import pytest
from aiohttp import web

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.integration.http.conftest import URL
from tests.integration.http.requests import never, one_cluster, retries, text


async def test_the_routes_timeout(control_plane: FakeControlPlane, session: aiohttp.ClientSession) -> None:
    async with HttpBackend("slow", never) as backend:
        control_plane.set(*one_cluster(backend, timeout="0.2s"))
        with pytest.raises(proxyless.http.RouteTimeoutError) as caught:
            await session.get(URL)
        assert isinstance(caught.value, TimeoutError)
        assert f"{backend.address}: no response within the time that the route gives" in str(caught.value)


async def test_the_routes_timeout_covers_the_body(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        await asyncio.Event().wait()
        return response

    async with HttpBackend("half", half) as backend:
        control_plane.set(*one_cluster(backend, timeout="0.3s"))
        async with session.get(URL) as response:
            assert response.status == 200
            assert await response.content.read(4) == b"half"
            with pytest.raises(proxyless.http.RouteTimeoutError, match="not complete"):
                await response.read()


async def test_per_try_timeout(control_plane: FakeControlPlane, session: aiohttp.ClientSession) -> None:
    answers = iter([never, never, None])

    async def hook(request: web.Request) -> web.StreamResponse | None:
        chosen = next(answers)
        return await chosen(request) if chosen is not None else None

    async with HttpBackend("v1", hook) as backend:
        control_plane.set(*one_cluster(backend, **retries("5xx", per_try_timeout="0.2s")))
        assert await text(session) == "v1"
        assert len(backend.requests) == 3


async def test_the_callers_own_timeout_is_aiohttps(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("slow", never) as backend:
        control_plane.set(*one_cluster(backend, **retries("5xx")))
        with pytest.raises(TimeoutError) as caught:
            await session.get(URL, timeout=aiohttp.ClientTimeout(total=0.2))
        assert not isinstance(caught.value, proxyless.http.HttpError)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await session.get(URL, timeout=aiohttp.ClientTimeout(sock_read=0.2))
        assert len(backend.requests) == 2


async def test_a_request_waits_for_its_configuration(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    listener, routes, cluster, endpoints = one_cluster(v1)
    control_plane.set(listener, routes, cluster)
    request = asyncio.create_task(text(session))
    await control_plane.until(
        lambda: any("c" in each.names.get(build.EDS, ()) for each in control_plane.streams)
    )
    assert not request.done()
    control_plane.set(endpoints)
    assert await request == "v1"
