"""The same HTTP request by `proxyless.http` and through Envoy: the same backend, the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import proxyless.http
import pytest
import pytest_asyncio
from aiohttp import web
from proxyless.http import HttpError
from yarl import URL

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.parity import envoy_driver
from tests.parity.conftest import Ours
from tests.parity.envoy_driver import Envoy
from tests.parity.requests import BACKENDS, REFUSED, Answer, Pairs, Request
from tests.parity.rows import REQUESTS

NO_AGENT = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers of aiohttp's own, which no row is about."""
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass
class Backends:
    """The backends, which do as a request tells them, and what each request was when it came.

    `x-fail: 503 2` answers the first two attempts of a request with that status, `x-fail: RESET 2` breaks
    them off, and `x-fail: HANG 2` never answers them.
    """

    came: dict[str, list[tuple[str, web.Request]]] = field(default_factory=dict)

    async def hook(self, name: str, request: web.Request) -> web.StreamResponse:
        attempts = self.came.setdefault(request.headers["x-call"], [])
        attempts.append((name, request))
        what, _, times = request.headers.get("x-fail", "200 0").partition(" ")
        if len(attempts) > int(times):
            return web.Response(text=name, headers={"k-server": name})
        if what == "HANG":
            await asyncio.Event().wait()
        if what == "RESET":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=int(what), headers={"k-server": name, "x-failed": what})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def backends(plane: FakeControlPlane) -> AsyncIterator[Backends]:
    told = Backends()
    async with AsyncExitStack() as stack:

        async def start(name: str) -> str:
            backend = HttpBackend(name, lambda request: told.hook(name, request))
            return (await stack.enter_async_context(backend)).address

        addresses = {name: await start(name) for name in BACKENDS}
        async with HttpBackend("gone") as gone:
            pass
        places = {name: (address,) for name, address in addresses.items()}
        places |= {"nowhere": (gone.address,), "partly": (gone.address, addresses["h1"]), "empty": ()}
        for name, each in places.items():
            cluster = build.cluster(name)
            cluster.typed_extension_protocol_options[envoy_driver.PROTOCOLS].Pack(envoy_driver.HTTP1)
            plane.set(cluster, build.endpoints(name, *each))
        yield told


def of_interest(headers: Mapping[str, str]) -> Pairs:
    """What rows look at, by name: values of one name in their order."""
    pairs = ((name.lower(), value) for name, value in headers.items())
    kept = (pair for pair in pairs if pair[0] == "location" or pair[0].startswith("k-"))
    return tuple(sorted(kept, key=lambda pair: pair[0]))


async def send(
    session: aiohttp.ClientSession, origin: str, row: Request, backends: Backends, looks: bool, **more: str
) -> Answer:
    """Send the row's request; return what came of it."""
    call = uuid4().hex
    headers = [*row.headers, ("x-call", call), *more.items()]
    url = URL(f"{origin}{row.path}", encoded=True)
    seen: dict[str, Any]
    try:
        async with session.request(
            row.method, url, headers=headers, data=row.body, allow_redirects=False, skip_auto_headers=NO_AGENT
        ) as response:
            body = await response.text()
            answered = of_interest(response.headers)
            seen = {"status": response.status, "headers": answered}
    except HttpError as error:
        seen = {"status": 0, "error": type(error).__name__, "headers": ()}
        body = ""
    attempts = backends.came.pop(call, [])
    if not attempts:
        return Answer(**seen, body=body if looks else None)
    name, last = attempts[-1]
    return Answer(
        **seen,
        by=name,
        requests=len(attempts),
        path=last.raw_path,
        host=last.host,
        received=of_interest(last.headers),
    )


async def by_ours(plane: FakeControlPlane, ours: Ours, backends: Backends, row: Request, looks: bool) -> Any:
    async with proxyless.http.session(ours.mesh, timeout=TIMEOUT) as session:
        more = {"host": row.host} if row.host else {}
        answer = await send(session, f"http://{row.origin}", row, backends, looks, **more)
    if row.expected == REFUSED:
        assert answer.error == "UnavailableError"
        await plane.until(lambda: bool(ours.refusals(plane, row.listener)))
    return REFUSED if ours.refusals(plane, row.listener) else answer


async def by_envoy(
    plane: FakeControlPlane, envoy: Envoy, backends: Backends, row: Request, looks: bool
) -> Any:
    try:
        address = await envoy.address(row.target)
        if envoy.refusals(plane, row.listener):
            return REFUSED
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            return await send(session, f"http://{address}", row, backends, looks, host=row.authority)
    finally:
        await envoy.close(row.target)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("row", REQUESTS, ids=[each.name for each in REQUESTS])
async def test_requests_go_where_the_table_says(
    plane: FakeControlPlane, ours: Ours, envoy: Envoy, backends: Backends, row: Request
) -> None:
    plane.set(*row.resources)
    theirs = row.expected if row.envoy is None else row.envoy
    for each, expected, client in ((by_ours, row.expected, ours), (by_envoy, theirs, envoy)):
        looks = isinstance(expected, Answer) and expected.body is not None
        answer = await each(plane, client, backends, row, looks)
        assert answer == (row.whole(expected) if isinstance(expected, Answer) else expected), client.node


def test_the_table_is_one_to_rely_on() -> None:
    assert len({each.name for each in REQUESTS}) == len({each.listener for each in REQUESTS}) == len(REQUESTS)
    for each in REQUESTS:
        assert (each.envoy is None) == (not each.why), f"{each.name}: a difference needs its reason"
        assert each.envoy != each.expected, f"{each.name}: this is no difference"
