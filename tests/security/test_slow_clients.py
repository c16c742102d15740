"""Clients that take their time: they are let go, and meanwhile everybody else is served."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from serving import limits
from serving.http_server import serve_http
from serving.settings import Settings
from tests.fakes.raw import raw, request
from tests.integration.test_services_page import built

MANY = 100
HOST = b"HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /login " + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
HEALTH = request(b"GET /health HTTP/1.1")

SLOW = {
    "says nothing": b"",
    "a request line without an end": b"GET /health",
    "headers without an end": b"GET /health " + HOST + b"x-a: b\r\n",
    "nothing after a whole request": b"GET /health " + HOST + b"\r\n",
    "headers without an end after a whole request": b"GET /health " + HOST + b"\r\nGET /health",
    "a body that does not come": POST + b"Content-Length: 100\r\n\r\n",
    "a body that stops": POST + b"Content-Length: 100\r\n\r\nusername=a",
    "chunks without an end": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nusern\r\n",
    "a body nobody asked for": b"GET /health " + HOST + b"Content-Length: 9\r\n\r\n",
    "a form of another site": POST + b"Sec-Fetch-Site: cross-site\r\nContent-Length: 9\r\n\r\n",
    "reads nothing": b"GET /productpage " + HOST + b"\r\n",
}


class Runner(web.AppRunner):
    """A runner that tells when its server has no connection any more."""

    made: Runner
    alone: asyncio.Event
    open = 0

    async def setup(self) -> None:
        await super().setup()
        Runner.made, self.alone = self, asyncio.Event()
        server = self.server
        assert server is not None
        made, lost = server.connection_made, server.connection_lost

        def connection_made(handler: Any, *args: Any) -> None:
            made(handler, *args)
            self.open += 1
            self.alone.clear()

        def connection_lost(handler: Any, *args: Any) -> None:
            lost(handler, *args)
            self.open -= 1
            if not self.open:
                self.alone.set()

        server.connection_made = connection_made  # type: ignore[method-assign]
        server.connection_lost = connection_lost  # type: ignore[method-assign]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    monkeypatch.setattr(limits, "BODY", 0.3)
    monkeypatch.setattr(limits, "LINGER", 0.3)
    monkeypatch.setattr(limits, "USER_TIMEOUT", 1.0)
    monkeypatch.setattr(web, "AppRunner", Runner)


@asynccontextmanager
async def served(idle: float = 1.0) -> AsyncIterator[str]:
    """productpage as its process serves it, and its address."""
    port = unused_port()
    settings = Settings.read("productpage", {"BIND_IP": "127.0.0.1", "PORT": str(port), "DRAIN_TIMEOUT": "1"})
    serving, stop = asyncio.Event(), asyncio.Event()
    async with built() as (app, _):
        server = asyncio.create_task(
            serve_http(settings, app, stop, lambda: None, on_serving=serving.set, idle=idle)
        )
        await serving.wait()
        yield f"127.0.0.1:{port}"
        stop.set()
        await server


class Deaf:
    """A connection whose end here reads nothing, with next to no room for what has come."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self.peer = (host, int(port))

    async def say(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, self.peer)
        await loop.sock_sendall(self.socket, data)

    async def __aenter__(self) -> Deaf:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("how", [*SLOW, "asks on and on, and reads nothing"])
async def test_who_dawdles_is_let_go_and_everybody_else_is_served(how: str) -> None:
    # So many answers fit into no buffer.
    data = SLOW[how] if how in SLOW else SLOW["reads nothing"] * 60
    async with served() as address, AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(Deaf(address)) for _ in range(MANY if how in SLOW else 10)]
        await asyncio.gather(*(each.say(data) for each in slow))
        for _ in range(5):
            assert [answer.status for answer in await raw(address, HEALTH)] == [200]
        async with asyncio.timeout(50):
            await Runner.made.alone.wait()
        assert [answer.status for answer in await raw(address, HEALTH)] == [200]


DRIPPING = {
    "headers": SLOW["headers without an end"],
    "a body": POST + b"Content-Length: 9999\r\n\r\nusername=",
    "a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nfff\r\nusername=",
}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("what", DRIPPING)
async def test_who_sends_byte_after_byte_is_let_go_as_well(what: str) -> None:
    async with served() as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(DRIPPING[what])
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            writer.write(b"a")
            await asyncio.wait([ended], timeout=0.05)  # how fast it drips
        writer.close()
        assert [answer.status for answer in await raw(address, HEALTH)] == [200]


@pytest.mark.usefixtures("hasty")
async def test_a_body_that_does_not_come_is_told_so() -> None:
    async with served() as address:
        [answer] = await raw(address, SLOW["a body that stops"])
    assert answer.status == 408
    assert b"DEADLINE_EXCEEDED" in answer.body


@pytest.mark.usefixtures("hasty")
async def test_the_end_does_not_wait_for_them() -> None:
    async with AsyncExitStack() as stack, served(idle=3600) as address:
        slow = [await stack.enter_async_context(Deaf(address)) for _ in range(20)]
        await asyncio.gather(*(each.say(SLOW["headers without an end"]) for each in slow))
        assert [answer.status for answer in await raw(address, HEALTH)] == [200]
