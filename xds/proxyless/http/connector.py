"""The connector of a session: connects each attempt to what was decided for it, and nothing else.

What aiohttp itself sends and reads stays aiohttp's. An answer that is made here (an abort, a redirect, a
direct response) is read by aiohttp as if an endpoint had sent it, from a connection without a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from .errors import UnavailableError
from .pool import HttpSubchannel


class MadeAnswer:
    """A response that no endpoint gives."""

    def __init__(self, status: int, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        self.body = body = b"" if status in (204, 304) else body
        fields = [*headers, ("Content-Length", str(len(body))), ("Connection", "close")]
        if body and not any(name.lower() == "content-type" for name, _ in headers):
            fields.append(("Content-Type", "text/plain"))
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields), "", ""]
        self.head = "\r\n".join(lines).encode("utf-8", "surrogateescape")


@dataclass(slots=True)
class Way:
    """The endpoint one attempt goes to; `reused` tells that its connection had carried requests before."""

    link: HttpSubchannel
    reused: bool = False


Ending = TypeVar("Ending", Way, MadeAnswer)


class RoutedConnector(aiohttp.BaseConnector):
    """Sends each request the way that was set for it; `closing` is awaited when it is closed."""

    def __init__(self, closing: Callable[[], Awaitable[None]]) -> None:
        super().__init__(limit=0, force_close=True)
        self._closing = closing
        self._ways: dict[aiohttp.ClientRequest, Way | MadeAnswer] = {}
        self._seen: WeakSet[ResponseHandler] = WeakSet()

    @contextmanager
    def going(self, request: aiohttp.ClientRequest, way: Ending) -> Iterator[Ending]:
        """Let this request go this way, once."""
        self._ways[request] = way
        try:
            yield way
        finally:
            self._ways.pop(request, None)

    async def connect(self, req: aiohttp.ClientRequest, traces: Any, timeout: Any) -> Connection:
        """Connect to the endpoint, or to an answer that is made here."""
        way = self._ways.pop(req, None)
        if way is None:
            raise UnavailableError(
                f"{req.url}: was not routed: the `middlewares` of a request replace those of its session"
            )
        if isinstance(way, Way):
            connection = await way.link.connector.connect(req, traces, timeout)
            assert connection.protocol is not None
            way.reused = connection.protocol in self._seen
            self._seen.add(connection.protocol)
            return connection
        loop = asyncio.get_running_loop()
        protocol = ResponseHandler(loop)
        transport = _Nowhere(protocol, way, req.method == "HEAD")
        protocol.connection_made(transport)
        return Connection(self, req.connection_key, protocol, loop)

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close, and give back what the session holds."""
        await super().close(abort_ssl=abort_ssl)
        await self._closing()


class _Nowhere(asyncio.Transport):
    """Takes whatever is written, and answers the first of it."""

    def __init__(self, protocol: ResponseHandler, answer: MadeAnswer, head_only: bool) -> None:
        super().__init__()
        self._protocol = protocol
        self._answer: MadeAnswer | None = answer
        self._head_only = head_only
        self._closed = False

    def write(self, data: Any) -> None:
        if self._answer is not None:
            answer, self._answer = self._answer, None
            said = answer.head if self._head_only else answer.head + answer.body
            asyncio.get_running_loop().call_soon(self._say, said)

    def _say(self, said: bytes) -> None:
        if not self._closed:
            self._protocol.data_received(said)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0
