"""aiohttp: a request's lane in the handler, and in the requests it makes."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from lanes.context import Forwarding, current, current_lane
from lanes.http import lane_middleware, outgoing_headers


async def test_two_hops_keep_lane_and_the_rest_of_the_baggage() -> None:
    forwarding = Forwarding()

    async def last(request: web.Request) -> web.Response:
        return web.json_response({"lane": current_lane(), "baggage": request.headers.getall("baggage", [])})

    async def first(request: web.Request) -> web.Response:
        url = request.url.with_path("/last")
        async with session.get(url, headers=outgoing_headers()) as answer:
            return web.json_response(await answer.json())

    app = web.Application(middlewares=[lane_middleware(forwarding)])
    app.add_routes([web.get("/first", first), web.get("/last", last)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/first"
        async with aiohttp.ClientSession() as session:

            async def get(lane: str | None) -> None:
                baggage = f"user=7;p=1,env={lane}" if lane else "user=7;p=1"
                async with session.get(url, headers={"baggage": baggage}) as answer:
                    assert await answer.json() == {"lane": lane, "baggage": [baggage]}

            await asyncio.gather(*(get(lane) for lane in ["dev", "qa", None] * 20))
    finally:
        await runner.cleanup()
    assert current().metadata == ()
