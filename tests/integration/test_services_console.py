"""productpage's way to the lane console, which here is an HTTP server that says what it was asked."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.fakes.raw import raw, request
from tests.integration.test_services_page import page


class Console:
    """A console that answers what it was asked, and has one endless stream of events."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.more = asyncio.Event()
        self.die = asyncio.Event()
        self.full = asyncio.Event()
        self.asked = asyncio.Event()

    async def echo(self, request: web.Request) -> web.Response:
        body = {
            "asked": f"{request.method} {request.raw_path}",
            "headers": [(key.lower(), value) for key, value in request.headers.items()]
            if "all" in request.query
            else {key.lower(): value for key, value in request.headers.items()},
            "body": await request.text(),
        }
        return web.json_response(body, status=int(request.query.get("status", "200")))

    async def packed(self, request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"packed"), headers={"Content-Encoding": "gzip"})

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        dying = asyncio.create_task(self.die.wait())
        more = asyncio.create_task(self.more.wait())
        try:
            await response.write(b"data: 1\n\n")
            await asyncio.wait((dying, more), return_when=asyncio.FIRST_COMPLETED)
            if dying.done() and request.transport is not None:
                request.transport.abort()
            while True:
                await response.write(b"data: 2\n\n")
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            self.gone.set()
            raise
        finally:
            dying.cancel()
            more.cancel()

    async def flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await asyncio.wait_for(response.write(bytes(1 << 20)), 0.5)
        except TimeoutError:
            self.full.set()
            await asyncio.Event().wait()
        return response

    async def late(self, request: web.Request) -> web.StreamResponse:
        self.asked.set()
        await self.more.wait()
        return await self.events(request)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/mesh/events", self.events)
        app.router.add_get("/mesh/flood", self.flood)
        app.router.add_get("/mesh/late", self.late)
        app.router.add_get("/mesh/packed", self.packed)
        app.router.add_route("*", "/mesh", self.echo)
        app.router.add_route("*", "/mesh/{rest:.*}", self.echo)
        return app


@asynccontextmanager
async def door() -> AsyncIterator[tuple[TestClient[Any, Any], Console, TestServer]]:
    console = Console()
    async with TestServer(console.application()) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with page(CONSOLE_URL=url) as (client, _):
            yield client, console, server


async def test_requests_are_passed_on_whole() -> None:
    async with door() as (client, _, _):
        answer = await client.post("/mesh/api/a%2Fb?x=%20y&status=422", data="text", headers={"X-Own": "1"})
        told, port = await answer.json(), client.port
    assert answer.status == 422
    assert told["asked"] == "POST /mesh/api/a%2Fb?x=%20y&status=422"
    assert told["body"] == "text" and told["headers"]["x-own"] == "1"
    assert told["headers"]["host"] == f"127.0.0.1:{port}"
    assert "Content-Security-Policy" in answer.headers


async def test_by_what_the_console_knows_who_asked_is_passed_on_whatever_connection_says() -> None:
    told = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    told |= {"X-Forwarded-For": "10.9.9.9", "Forwarded": "for=10.9.9.9"}
    headers = {**told, "Connection": f"x-drop, {', '.join(told)}", "X-Drop": "1"}
    async with door() as (client, _, _):
        heard = (await (await client.get("/mesh?all", headers=headers)).json())["headers"]
    # Behind what others have said stands the door's own word, which it always adds.
    assert [value for name, value in heard if name == "x-forwarded-for"] == ["10.9.9.9", "127.0.0.1"]
    rest = {name: value for name, value in heard if name != "x-forwarded-for"}
    assert rest.items() >= {(name.lower(), told[name]) for name in told if name != "X-Forwarded-For"}
    assert "x-drop" not in rest


async def test_a_target_with_a_host_leads_to_the_console_all_the_same() -> None:
    async with door() as (client, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"GET http://evil.example/mesh/x?y=%20 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert b" 200 " in answer.splitlines()[0] and b'"GET /mesh/x?y=%20"' in answer


async def test_events_of_many_pages_do_not_keep_the_others_waiting() -> None:
    async with asyncio.timeout(60), door() as (client, _, _), AsyncExitStack() as stack:
        many = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        for _ in range(101):  # aiohttp's own limit is 100
            await stack.enter_async_context(many.get(client.make_url("/mesh/events")))
        assert (await client.get("/mesh")).status == 200


async def test_what_is_packed_stays_packed() -> None:
    async with door() as (client, _, _):
        answer = await client.get("/mesh/packed")
        assert answer.headers["Content-Encoding"] == "gzip"
        assert await answer.read() == b"packed"


async def test_a_target_that_names_a_host_leads_to_the_console_all_the_same() -> None:
    """RFC 9112 section 3.2.2: it is for whom it reaches, and nobody else is asked."""
    async with door() as (client, _, _):
        line = b"GET http://evil.example:1/mesh/a?b=%2F HTTP/1.1"
        [answer] = await raw(f"127.0.0.1:{client.port}", request(line))
    assert (answer.status, json.loads(answer.body)["asked"]) == (200, "GET /mesh/a?b=%2F")


async def test_events_come_as_they_happen_and_end_with_who_asked() -> None:
    async with door() as (client, console, _):
        async with client.get("/mesh/events") as answer:
            assert await answer.content.readuntil(b"\n\n") == b"data: 1\n\n"
        console.more.set()
        async with asyncio.timeout(10):
            await console.gone.wait()


async def test_events_do_not_hold_up_the_end() -> None:
    async with asyncio.timeout(8), door() as (client, _, _):
        answer = await client.get("/mesh/events")
        assert await answer.content.readuntil(b"\n\n")
    # A drain waits 10 s for what is in flight: this has not.


async def test_who_takes_no_events_in_does_not_hold_up_the_end() -> None:
    async with asyncio.timeout(9), door() as (client, console, _):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=1)
        writer.write(b"GET /mesh/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await console.full.wait()
    writer.transport.abort()


async def test_events_that_begin_after_the_end_do_not_hold_it_up() -> None:
    async with asyncio.timeout(9), door() as (client, console, _):
        asking = asyncio.create_task(client.get("/mesh/late"))
        await console.asked.wait()
        asyncio.get_running_loop().call_later(0.5, console.more.set)  # the end has begun by then
    await asyncio.gather(asking, return_exceptions=True)


async def test_a_console_that_is_gone_is_a_reason_and_one_that_dies_ends_its_events() -> None:
    async with door() as (client, console, server):
        answer = await client.get("/mesh/events")
        assert await answer.content.readuntil(b"\n\n")
        console.die.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        await server.close()
        gone = await client.get("/mesh")
        assert gone.status == 502
        assert "does not answer" in (await gone.json())["error"]["reason"]
        shown = await client.get("/mesh", headers={"Accept": "text/html"})
        assert shown.content_type == "text/html" and "does not answer" in await shown.text()


@pytest.mark.parametrize("path", ["/mesh", "/meshed", "/meshes/x"])
async def test_without_a_console_there_is_no_such_page(path: str) -> None:
    async with page() as (client, _):
        assert (await client.get(path)).status == 404
        assert "Lane console" not in await (await client.get("/productpage")).text()


async def test_only_its_own_paths_are_the_consoles() -> None:
    async with door() as (client, _, _):
        assert (await client.get("/meshed")).status == 404
        assert 'href="/mesh"' in await (await client.get("/productpage")).text()
