"""The console as a visitor has it: a process of the mesh, behind the front door."""

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from console.acting.guard import TOKEN_HEADER
from mesh import Mesh
from mesh.walkthrough.door import Door
from tests.fakes.lanes_command import rules

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Visitor:
    """A browser that has loaded the page."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self.session = session
        self.url = url
        self.token = token

    async def ask(self, verb: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, Any]:
        own = {TOKEN_HEADER: self.token, "Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        url = f"{self.url}/mesh/api/actions/{verb}"
        async with self.session.post(url, json=body, headers={**own, **(headers or {})}) as response:
            return response.status, await response.json()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(mesh: Mesh) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{mesh.url}/mesh") as response:
            [token] = re.findall(r'<meta name="csrf-token" content="([^"]+)"', await response.text())
        yield Visitor(session, mesh.url, token)


async def test_what_the_page_asks_for_is_done(visitor: Visitor, mesh: Mesh, door: Door) -> None:
    before = await rules(mesh)
    status, answer = await visitor.ask("weights", service="reviews", weights={"v3": 100})
    assert (status, answer["ok"]) == (200, True), answer
    assert (await door.visit()).versions["reviews"] == "v3"
    status, answer = await visitor.ask("undo", id=answer["action"]["id"])
    assert (status, answer["ok"]) == (200, True), answer
    assert await rules(mesh) == before


async def test_the_front_door_says_for_whom_it_asks(visitor: Visitor) -> None:
    """Its own word stands behind what was said before: it makes nobody near who was far."""
    status, answer = await visitor.ask("validate", {"X-Forwarded-For": "127.0.0.1"}, yaml="a: 1")
    assert (status, answer["ok"]) == (200, False)
    status, answer = await visitor.ask("validate", {"X-Forwarded-For": "192.0.2.1"}, yaml="a: 1")
    assert (status, answer["error"]["code"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    "changed",
    [
        {TOKEN_HEADER: "guessed"},
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_what_another_site_asks_for_is_not(visitor: Visitor, changed: dict[str, str]) -> None:
    status, answer = await visitor.ask("kill", changed, name="reviews/v1")
    assert (status, answer["error"]["code"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("name", ["console", "productpage/v1"])
async def test_the_console_does_not_cut_itself_off(visitor: Visitor, mesh: Mesh, name: str) -> None:
    status, answer = await visitor.ask("kill", name=name)
    assert (status, answer["error"]["code"]) == (409, "FAILED_PRECONDITION")
    assert (await mesh.status()).process(name).phase == "ready"
