"""One mesh for all tests of what the console changes; each leaves the rules as it found them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.typedefs import Handler

from console.acting.acting import Acting
from console.acting.guard import TOKEN_HEADER
from mesh import Mesh
from mesh.lane_store import MeshStore
from mesh.remote import Remote
from mesh.walkthrough.door import Door
from tests.fakes.lanes_command import Lanes, rules


class Console:
    """A browser's end of the console: what its page's script would send."""

    acting: Acting
    url: str

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.published: list[dict[str, Any]] = []
        self.watched = True
        self.arrived = asyncio.Event()
        """Set when a request has come to its handler."""
        self.told = asyncio.Event()
        """Set when the first change was published."""

    async def ask(self, verb: str, **body: Any) -> tuple[int, Any]:
        """The status and the JSON that a verb is answered with."""
        headers = {TOKEN_HEADER: self.acting.token, "Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        url = f"{self.url}/mesh/api/actions/{verb}"
        async with self.session.post(url, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def act(self, verb: str, **body: Any) -> Any:
        """The answer to something that is done."""
        status, answer = await self.ask(verb, **body)
        assert (status, answer.get("ok")) == (200, True), answer
        return answer

    async def refused(self, status: int, verb: str, **body: Any) -> Any:
        """The error of something that is not done."""
        found, answer = await self.ask(verb, **body)
        assert found == status, answer
        return answer["error"]

    def publish(self, event: dict[str, Any]) -> None:
        self.published.append(event)
        self.told.set()

    @web.middleware
    async def notes(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.arrived.set()
        return await handler(request)

    async def undo(self, answer: Any) -> Any:
        return await self.act("undo", id=answer["action"]["id"])

    @property
    def newest(self) -> Any:
        return self.published[-1]["actions"][0]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("console") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0, console=True) as running:
        await running.until("console", "ready")  # nothing else waits for it
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def console(mesh: Mesh) -> AsyncIterator[Console]:
    before = await rules(mesh)
    session = aiohttp.ClientSession()
    async with session, Remote(mesh.state) as remote, MeshStore(mesh.state) as store:
        console = Console(session)
        acting = console.acting = Acting(
            remote, store, console.publish, lambda: console.watched, processes=remote
        )
        app = web.Application(middlewares=[console.notes])
        app.add_routes(acting.routes())
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        console.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield console
        await acting.close()
        await runner.cleanup()
    assert await rules(mesh) == before


@pytest_asyncio.fixture(loop_scope="session")
async def door(mesh: Mesh) -> AsyncIterator[Door]:
    async with Door(mesh.url) as door:
        yield door


@pytest.fixture
def lanes(mesh: Mesh, tmp_path: Path) -> Lanes:
    """The `lanes` command against the same mesh."""
    return Lanes(mesh, tmp_path)
