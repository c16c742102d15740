"""What a stock Istiod does on the wire, and that no call suffers from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import proxyless
import pytest
import pytest_asyncio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.istiod import FakeIstiod
from tests.integration.conftest import METHOD, NAME, TARGET, News, bootstrap_for

RATINGS, TO_RATINGS = "ratings:9080", "xds:///ratings:9080"


@pytest_asyncio.fixture
async def istiod() -> AsyncIterator[FakeIstiod]:
    async with FakeIstiod() as started:
        yield started


@pytest_asyncio.fixture
async def mesh(istiod: FakeIstiod, news: News) -> AsyncIterator[proxyless.Client]:
    # It tries again quickly: what is tested is that it goes on, not how long it waits.
    async with proxyless.Client(bootstrap_for(istiod), observer=news, reconnect=(0.01, 0.05)) as client:
        yield client


def reviews(*versions: tuple[str, Backend]) -> list[Any]:
    clusters = {name: [backend.address] for name, backend in versions}
    return list(build.service(NAME, clusters, [build.route(versions[0][0])]))


def ratings(backend: Backend) -> list[Any]:
    return list(build.service(RATINGS, {"ratings": [backend.address]}, [build.route("ratings")]))


def acknowledged(istiod: FakeIstiod) -> bool:
    """Whether the last request of every type answers the last response of it."""
    [stream] = istiod.streams
    last = {request.type_url: request.response_nonce for request in stream.requests}
    return all(last[type_url] == nonce for type_url, nonce in stream.nonces.items())


async def test_whole_lists_on_every_push_change_nothing(
    istiod: FakeIstiod, mesh: proxyless.Client, news: News, v1: Backend
) -> None:
    istiod.set(*reviews(("v1", v1)))
    call = mesh.channel(TARGET).unary_unary(METHOD)
    assert await call(b"", timeout=20) == b"v1"
    before = list(news.updates)
    [stream] = istiod.streams
    for _ in range(5):
        sent = dict(stream.nonces)
        istiod.push()
        assert sent[build.RDS] != stream.nonces[build.RDS]
        await istiod.until(lambda: acknowledged(istiod))
    assert await call(b"", timeout=20) == b"v1"
    assert news.updates == before
    assert not istiod.nacks


async def test_a_name_whose_request_is_dropped_for_its_stale_nonce_is_asked_for_again(
    istiod: FakeIstiod, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    istiod.set(*reviews(("v1", v1)), *ratings(v2))
    assert await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20) == b"v1"
    await istiod.until(lambda: acknowledged(istiod))
    istiod.push()  # on its way when the client asks for one name more
    call = mesh.channel(TO_RATINGS).unary_unary(METHOD)
    assert await call(b"", timeout=20) == b"v2"
    assert [RATINGS in request.resource_names for request in istiod.stale][:1] == [True]
    assert istiod.streams[0].names[build.LDS] == (RATINGS, NAME)


async def test_names_that_come_up_while_something_is_refused_are_asked_for(
    istiod: FakeIstiod, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    istiod.set(*reviews(("v1", v1)), *ratings(v2))
    first = mesh.channel(TARGET).unary_unary(METHOD)
    assert await first(b"", timeout=20) == b"v1"
    await istiod.until(lambda: acknowledged(istiod))
    istiod.set(build.listener(NAME, http_filters=[{"name": "nobody.knows.it"}]))
    call = mesh.channel(TO_RATINGS).unary_unary(METHOD)
    assert await call(b"", timeout=20) == b"v2"
    assert [nack.type_url for nack in istiod.nacks] == [build.LDS] * len(istiod.nacks) != []
    assert await first(b"", timeout=20) == b"v1"  # by its last good listener


async def test_endpoints_come_one_at_a_time_and_the_others_stay(
    istiod: FakeIstiod, mesh: proxyless.Client, news: News, v1: Backend, v2: Backend
) -> None:
    routes = [build.route("v2", headers=[build.header("x-lane", exact_match="dev")]), build.route("v1")]
    istiod.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, routes))
    call = mesh.channel(TARGET).unary_unary(METHOD)
    assert await call(b"", timeout=20) == b"v1"
    assert await call(b"", timeout=20, metadata=(("x-lane", "dev"),)) == b"v2"
    async with Backend("new") as new:
        news.updates.clear()
        istiod.set(build.endpoints("v1", new.address))
        await news.until(lambda: ("EDS", "v1") in news.updates)
        assert await call(b"", timeout=20) == b"new"
        assert await call(b"", timeout=20, metadata=(("x-lane", "dev"),)) == b"v2"
        assert ("EDS", "v2") not in news.updates


@pytest.mark.parametrize("grace", [0, 50])
async def test_a_connection_that_is_closed_every_so_often_costs_no_call(
    grace: int, news: News, v1: Backend, v2: Backend
) -> None:
    """As `keepaliveMaxServerConnectionAge` does: GOAWAY, and the stream's end after the grace."""
    istiod = FakeIstiod()
    istiod.set(*reviews(("v1", v1)))
    age = [("grpc.max_connection_age_ms", 100), ("grpc.max_connection_age_grace_ms", grace)]
    await istiod.start(options=age)
    seen: set[bytes] = set()
    ended = asyncio.Event()

    async def keep_calling(call: Any) -> None:
        while not ended.is_set():
            seen.add(await call(b"", timeout=20))

    async with proxyless.Client(bootstrap_for(istiod), observer=news, reconnect=(0.01, 0.05)) as mesh:
        calls = asyncio.create_task(keep_calling(mesh.channel(TARGET).unary_unary(METHOD)))
        await istiod.until(lambda: len(istiod.nodes) >= 5)  # each stream introduces itself once
        istiod.set(*reviews(("v2", v2)))
        await news.until(lambda: ("CDS", "v2") in news.updates)
        await istiod.until(lambda: len(istiod.nodes) >= 8)
        ended.set()
        await calls
        assert seen == {b"v1", b"v2"}
        assert news.failures == []
    await istiod.stop()


async def test_turned_away_in_a_storm_it_comes_back_and_calls_go_on(
    istiod: FakeIstiod, mesh: proxyless.Client, news: News, v1: Backend, v2: Backend
) -> None:
    istiod.set(*reviews(("v1", v1)))
    call = mesh.channel(TARGET).unary_unary(METHOD)
    assert await call(b"", timeout=20) == b"v1"
    istiod.refusals = 5
    istiod.streams[0].end()
    await news.until(lambda: len(news.failures) == 5)
    assert all("RESOURCE_EXHAUSTED: request rate limit exceeded" in each for each in news.failures)
    assert await call(b"", timeout=20) == b"v1"
    await istiod.until(lambda: len(istiod.streams) == 1 and build.EDS in istiod.streams[0].names)
    istiod.set(*reviews(("v2", v2)))
    await news.until(lambda: ("EDS", "v2") in news.updates)
    assert await call(b"", timeout=20) == b"v2"
    assert mesh.config_dump()["server"]["error"] is None


async def test_the_last_name_dropped_is_no_wildcard(
    istiod: FakeIstiod, mesh: proxyless.Client, news: News, v1: Backend, v2: Backend
) -> None:
    istiod.set(*reviews(("v1", v1)), *ratings(v2))
    channel = mesh.channel(TARGET)
    assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    await channel.close()
    # Whatever it says when nothing is wanted any more comes before what it says of the next channel.
    again = mesh.channel(TO_RATINGS)
    assert await again.unary_unary(METHOD)(b"", timeout=20) == b"v2"
    assert istiod.wildcards == []
    assert istiod.streams[0].names[build.LDS] == (RATINGS,)
