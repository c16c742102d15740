"""One control plane fed by hand, one Client, one session, and HTTP servers that say who they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import proxyless
import proxyless.http
import pytest_asyncio

from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.integration.conftest import bootstrap_for

NAME = "delivery:9080"
URL = "http://delivery:9080"


@pytest_asyncio.fixture
async def mesh(control_plane: FakeControlPlane) -> AsyncIterator[proxyless.Client]:
    async with proxyless.Client(bootstrap_for(control_plane)) as client:
        yield client


@pytest_asyncio.fixture
async def session(mesh: proxyless.Client) -> AsyncIterator[aiohttp.ClientSession]:
    async with proxyless.http.session(mesh, timeout=aiohttp.ClientTimeout(total=10)) as made:
        yield made


@pytest_asyncio.fixture
async def v1() -> AsyncIterator[HttpBackend]:
    async with HttpBackend("v1") as backend:
        yield backend


@pytest_asyncio.fixture
async def v2() -> AsyncIterator[HttpBackend]:
    async with HttpBackend("v2") as backend:
        yield backend
