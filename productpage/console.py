"""The way to the lane console at /mesh: a process of its own, with a power that no front door should have."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from lanes.http import Handler
from serving.http_errors import refusal

PATH = "/mesh"
# RFC 9110 section 7.6.1.
_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
# By these the console knows who may change something; `Connection` cannot take them away.
_KEPT = frozenset({"host", "origin", "sec-fetch-site", "x-forwarded-for", "forwarded"})
_CONNECT_TIMEOUT = 2.0
_EVENTS = "text/event-stream"


def leads_to_console(path: str) -> bool:
    """Whether a path belongs to the console."""
    return path == PATH or path.startswith(f"{PATH}/")


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    listed = ",".join(headers.getall("Connection", ()))
    named = {name.strip().lower() for name in listed.split(",")} - _KEPT | _HOP
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in named)


class ConsoleDoor:
    """Passes requests on to the console at `url`, and its answers back as they come, events too."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._ended = False

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """The console's answer; 502 with a reason where there is none."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT)
            self._session = aiohttp.ClientSession(
                # Every page that is open keeps a stream of events: more than a limit would wait for ever.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        headers = _passed_on(request.headers)
        headers.add("X-Forwarded-For", request.remote or "unknown")
        try:
            answer = await self._session.request(
                request.method,
                URL(f"{self._url}{request.rel_url.raw_path_qs}", encoded=True),
                headers=headers,
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError):
            reason = f"the lane console at {self._url} does not answer"
            raise refusal(web.HTTPBadGateway, "UNAVAILABLE", reason) from None
        async with answer:
            response = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
            with suppress(ConnectionResetError):  # who asked has gone: the first that is written will tell
                await response.prepare(request)
            if self._ended and answer.content_type == _EVENTS:
                return response  # it was asked for before the end and answered after it
            copying = asyncio.ensure_future(_copy(answer, request, response))
            self._open.add(copying)
            try:
                await asyncio.wait((copying,))
            finally:
                copying.cancel()
                self._open.discard(copying)
            if copying.cancelled() and request.transport is not None:
                # No word more: a browser that takes nothing in would be waited for.
                request.transport.abort()
            return response

    async def end(self, _: web.Application) -> None:
        """End what is still being passed on: events go on for ever, and a draining server waits for all."""
        self._ended = True
        for copying in self._open:
            copying.cancel()

    async def close(self, _: web.Application) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


async def _copy(answer: aiohttp.ClientResponse, request: web.Request, response: web.StreamResponse) -> None:
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError):
        # Who asked has gone, or the console has: what has begun must not look whole.
        if request.transport is not None:
            request.transport.abort()


def console_middleware(door: ConsoleDoor) -> Middleware:
    """What belongs to the console goes there, and nowhere else."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if leads_to_console(request.path):
            return await door.pass_on(request)
        return await handler(request)

    return middleware
