"""ASGI over Starlette: wherever it runs a request's code, and what it runs after it, the lane is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lanes.asgi import LaneMiddleware
from lanes.context import NOTHING, current, current_lane

LANES = ["dev", "qa", None] * 10


async def asked(app: Starlette, lane: str | None) -> str:
    headers = {"baggage": f"user=7;p=1,env={lane}"} if lane else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        return (await client.get("/", headers=headers)).text


def application(endpoint: object) -> Starlette:
    return Starlette(routes=[Route("/", endpoint)], middleware=[Middleware(LaneMiddleware)])  # type: ignore[arg-type]


async def test_endpoints_in_the_loop_and_in_threads() -> None:
    async def in_the_loop(request: Request) -> Response:
        await asyncio.sleep(0)
        return PlainTextResponse(str(current_lane()))

    def in_a_thread(request: Request) -> Response:
        return PlainTextResponse(str(current_lane()))

    for endpoint in (in_the_loop, in_a_thread):
        app = application(endpoint)
        assert await asyncio.gather(*(asked(app, lane) for lane in LANES)) == [str(lane) for lane in LANES]
    assert current() is NOTHING


async def test_streams_and_what_runs_after_the_answer() -> None:
    seen: list[str | None] = []

    async def later() -> None:
        seen.append(current_lane())

    def later_in_a_thread() -> None:
        seen.append(current_lane())

    async def in_the_loop() -> AsyncIterator[str]:
        yield str(current_lane())

    def in_a_thread() -> Iterator[str]:
        yield str(current_lane())

    for body in (in_the_loop, in_a_thread):

        async def endpoint(request: Request, body: object = body) -> Response:
            tasks = BackgroundTasks([BackgroundTask(later), BackgroundTask(later_in_a_thread)])
            return StreamingResponse(body(), background=tasks)  # type: ignore[operator]

        assert [await asked(application(endpoint), lane) for lane in ("dev", None)] == ["dev", "None"]
    assert seen == ["dev", "dev", None, None] * 2
