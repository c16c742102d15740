"""Requests that the console sends to a front door, which may be another one by the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestServer

from console.acting.sending import Sender
from lanes.store import FrontDoor, LaneStore


class Meshes:
    """A store that knows the door of the mesh that runs now, and counts who asks for it."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0

    @asynccontextmanager
    async def front_door(self) -> AsyncIterator[FrontDoor]:
        self.asked += 1
        yield FrontDoor(self.url, self.url)


def door() -> TestServer:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"hops": {}})

    app = web.Application()
    app.add_routes([web.get("/api/v1/products/0", answer)])
    return TestServer(app)


async def test_a_mesh_that_was_started_anew_elsewhere_is_found() -> None:
    meshes = Meshes()
    sender = Sender(cast(LaneStore, meshes), "env")

    async def sent() -> Any:
        return (await sender.one(""))["status"]

    try:
        async with door() as first:
            meshes.url = str(first.make_url("")).rstrip("/")
            assert [await sent(), await sent()] == [200, 200]
            assert meshes.asked == 1
        async with door() as second:
            meshes.url = str(second.make_url("")).rstrip("/")
            assert [await sent(), await sent()] == [0, 200]
        assert meshes.asked == 2
    finally:
        await sender.close()
