"""Services that speak HTTP: through the mesh for an `xds:` target, straight to the address for another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import proxyless.http
from proxyless.errors import XdsError

from lanes.http import lane_client_middleware
from serving.channels import Channels
from telemetry.http_spans import client_tracing

_XDS = "xds:///"


class HttpService:
    """One service and the session to it, which is opened by the first request."""

    def __init__(self, target: str, channels: Channels) -> None:
        self._target = target
        self._channels = channels
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def get(self, path: str, timeout: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for a path; the request carries what the current one carries.

        `timeout` is seconds for all of it. Raises aiohttp.ClientError and TimeoutError.
        """
        if self._session is None:
            self._session = await self._open()
        url = f"http://{self._target.removeprefix(_XDS)}{path}"
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
            yield response

    async def _open(self) -> aiohttp.ClientSession:
        middlewares = [lane_client_middleware]
        if self._target.startswith("xds:"):
            try:
                mesh = await self._channels.client()
                return proxyless.http.session(mesh, middlewares=middlewares, trace_configs=[client_tracing()])
            except XdsError as error:
                raise aiohttp.ClientConnectionError(f"{self._target}: {error}") from error
        return aiohttp.ClientSession(middlewares=middlewares, trace_configs=[client_tracing()])

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()


@asynccontextmanager
async def open_http(target: str, channels: Channels) -> AsyncIterator[HttpService]:
    """A service that speaks HTTP, at a target as `open_channels` takes it, on the same client of the mesh."""
    service = HttpService(target, channels)
    try:
        yield service
    finally:
        await service.close()
