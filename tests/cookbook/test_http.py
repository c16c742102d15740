"""Calls over HTTP: routed ones find the lane's version, all others take the lane along."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from lanes.spec import Lane, MeshSpec, Service
from mesh.testing import LaneMesh
from tests.cookbook.hop import printed
from tests.cookbook.page import block, without

TITLE = "Calls over HTTP"
RULES = MeshSpec((Service("delivery", "v1"),), (Lane("dev", {"delivery": "v2"}),))


def says(text: str) -> web.Application:
    """A service that answers with its version, or with the baggage it got."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text or request.headers.get("baggage", "nothing"))

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    return app


async def routed(program: str, folder: Path) -> str:
    async with LaneMesh() as mesh:
        for version in ("v1", "v2"):
            await mesh.serve_http("delivery", version, says(version))
        await mesh.apply(RULES)
        return await printed(program, mesh, folder)


async def unrouted(program: str, folder: Path) -> str:
    async with LaneMesh() as mesh:
        served = await mesh.serve_http("next", "v1", says(""))
        return await printed(program, mesh, folder, NEXT_URL=f"http://{served.address}/")


async def test_a_session_of_the_mesh(tmp_path: Path) -> None:
    program = block(TITLE)
    assert await routed(program, tmp_path) == block(TITLE, "text")
    lost = without(program, ", middlewares=[lane_client_middleware]")
    assert await routed(lost, tmp_path) == "dev v1\nNone v1\n"


async def test_other_clients(tmp_path: Path) -> None:
    assert await unrouted(block(TITLE, number=1), tmp_path) == block(TITLE, "text", 1)


@pytest.mark.parametrize(
    ("line", "lost"),
    [('event_hooks={"request": [carry_on]}', "httpx"), (", headers=dict(outgoing())", "urllib")],
)
async def test_other_clients_lose_the_lane_without_their_line(tmp_path: Path, line: str, lost: str) -> None:
    said = await unrouted(without(block(TITLE, number=1), line), tmp_path)
    assert said == block(TITLE, "text", 1).replace(f"{lost} env=dev", f"{lost} nothing")
