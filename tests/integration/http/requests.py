"""Requests, the one cluster they go to, and what its endpoints make of them."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes import resources as build
from tests.fakes.http_backends import HttpBackend
from tests.integration.http.conftest import NAME, URL


async def text(session: aiohttp.ClientSession, path: str = "/", **options: Any) -> str:
    async with session.get(URL + path, **options) as response:
        return await response.text()


def one_cluster(*backends: HttpBackend, cluster: Any = None, **action: Any) -> list[Any]:
    route = build.route("c")
    route["route"] |= action
    made = build.service(NAME, {"c": [each.address for each in backends]}, [route])
    if cluster is not None:
        made[2] = build.cluster("c", **cluster)
    return made


def retries(on: str, **more: Any) -> dict[str, Any]:
    return {"retry_policy": {"retry_on": on, "num_retries": 3, **more}}


def times(count: int, *answers: Any) -> Any:
    """A hook that gives this answer the first `count` times; "reset" breaks the connection off."""
    left = count

    async def hook(request: web.Request) -> web.StreamResponse | None:
        nonlocal left
        if left == 0:
            return None
        left -= 1
        if answers[0] == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=answers[0], headers=dict(answers[1:]), text="no")

    return hook


# --- timeouts ---------------------------------------------------------------------------------------------


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


# --- limits -----------------------------------------------------------------------------------------------


def gate() -> tuple[Any, asyncio.Event]:
    opened = asyncio.Event()

    async def hook(request: web.Request) -> None:
        await opened.wait()

    return hook, opened
