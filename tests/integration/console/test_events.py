"""The stream of events as browsers meet it: how it ends, and who is let go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web

from console.reading import routes
from console.reading.peers import Peer, Scene
from console.reading.reading import Reading
from tests.fakes.admin_port import AdminPort
from tests.fakes.events import Watching


class Some:
    """A mesh of these peers."""

    name = "some"

    def __init__(self, *ports: AdminPort) -> None:
        self.peers = tuple(Peer(f"{port.service}/{port.version}", port.address) for port in ports)
        self.faults = 0

    async def scene(self) -> Scene:
        if self.faults:
            self.faults -= 1
            raise RuntimeError("this look fails")
        return Scene(self.peers)


@asynccontextmanager
async def served(reading: Reading) -> AsyncIterator[int]:
    async with reading:
        app = web.Application()
        app.add_routes(reading.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running = asyncio.create_task(reading.run())
        try:
            yield runner.addresses[0][1]
        finally:
            running.cancel()
            await asyncio.wait((running,))
            await runner.cleanup()


async def test_what_changes_is_told_and_nothing_else() -> None:
    async with AdminPort("productpage", "v1") as door:
        reading = Reading(Some(door), interval=0.01)
        async with served(reading) as port, Watching(f"http://127.0.0.1:{port}") as browser:
            await browser.until(lambda: "rules" in browser.events)
            before = browser.events.copy()
            reading.feed.publish("actions", {"actions": [1]})
            await browser.until(lambda: browser.sections["actions"]["actions"])
            await door.until_asked("/spans", 5)
            assert browser.events == before + Counter(actions=1)
            door.ended("one")
            await browser.until(lambda: "one" in browser.requests)
            reading.tell_traffic({"rate": 5, "lanes": {"base": 1}})
            await browser.until(lambda: browser.sections["mesh"]["traffic"]["rate"] == 5)


async def test_a_look_that_fails_is_not_the_last_one() -> None:
    async with AdminPort("productpage", "v1") as door:
        source = Some(door)
        reading = Reading(source, interval=0.01)
        async with served(reading) as port, Watching(f"http://127.0.0.1:{port}") as browser:
            await browser.until(lambda: "requests" in browser.events)
            source.faults = 3
            door.ended("one")
            await browser.until(lambda: "one" in browser.requests)
            assert source.faults == 0


async def test_a_browser_that_takes_nothing_in_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "STUCK", 0.2)
    reading = Reading(Some(), interval=0.01)
    async with served(reading) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /mesh/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n")
        assert reading.feed.watchers == 1
        async with asyncio.timeout(30):
            number = 0
            while reading.feed.watchers:
                number += 1
                reading.feed.publish("actions", {"actions": [number, "x" * 1_000_000]})
                await asyncio.sleep(0.01)
        async with Watching(f"http://127.0.0.1:{port}") as browser:
            await browser.until(lambda: browser.sections["actions"]["actions"][0] == number)
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_the_end_of_the_console_ends_the_stream() -> None:
    reading = Reading(Some(), interval=0.01)
    async with (
        served(reading) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/mesh/events") as stream,
    ):
        await stream.content.readuntil(b"event: rules\n")
        reading.close()
        await stream.content.read()  # to its end
        assert stream.content.at_eof()
