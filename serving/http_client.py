"""Services that speak HTTP: through the mesh for an `xds:` target, straight to the address for another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import proxyless.http

from lanes.http import lane_client_middleware
from serving.channels import Channels

_XDS = "xds:///"


class HttpService:
    """One service and the session to it; requests carry what the current request carries."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    def get(self, path: str, timeout: float) -> aiohttp.client._RequestContextManager:
        """Ask for a path, as aiohttp does; `timeout` in seconds is for all of it."""
        return self._session.get(f"{self._base}{path}", timeout=aiohttp.ClientTimeout(total=timeout))


@asynccontextmanager
async def open_http(target: str, channels: Channels) -> AsyncIterator[HttpService]:
    """A service that speaks HTTP, at a target as `open_channels` takes it, on the same client of the mesh."""
    if target.startswith("xds:"):
        middlewares = [lane_client_middleware]
        session = proxyless.http.session(await channels.client(), middlewares=middlewares)
    else:
        session = aiohttp.ClientSession(middlewares=[lane_client_middleware])
    async with session:
        yield HttpService(session, f"http://{target.removeprefix(_XDS)}")
