"""What comes and goes under HTTP requests: endpoints, sessions, the client."""

from __future__ import annotations

import asyncio

import aiohttp
import proxyless
import proxyless.http
import pytest

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.fakes.patience import Patient, Retries
from tests.integration.http.conftest import NAME, bootstrap_for
from tests.integration.http.requests import gate, one_cluster, retries, text, times


async def test_an_endpoint_that_leaves_is_drained(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    hook, opened = gate()
    async with HttpBackend("old", hook) as old:
        control_plane.set(*one_cluster(old))
        waiting = asyncio.create_task(text(session))
        await old.came(1)
        control_plane.set(build.endpoints("c", v1.address))
        (stream,) = control_plane.streams
        news = stream.nonces[build.EDS]
        await control_plane.until(lambda: any(each.response_nonce == news for each in stream.requests))
        assert await text(session) == "v1"
        assert old.connections == 2  # the request's, and the one that watches
        opened.set()
        assert await waiting == "old"
        async with asyncio.timeout(5):
            await old.until(lambda: not old.connections)


async def test_churn_under_load_loses_no_request(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    """Endpoints come, go and are restarted, as in a rolling update; there is no retry policy."""
    stop = False
    served: dict[str, int] = {}

    async def load() -> None:
        while not stop:
            answer = await text(session)
            served[answer] = served.get(answer, 0) + 1

    living = [HttpBackend(f"g0-{n}") for n in range(3)]
    for each in living:
        await each.start()
    control_plane.set(*one_cluster(*living))
    callers = [asyncio.create_task(load()) for _ in range(8)]
    await asyncio.gather(*(each.came(1) for each in living))
    for generation in range(1, 9):
        fresh = HttpBackend(f"g{generation}")
        await fresh.start()
        leaving = living.pop(0)
        living.append(fresh)
        if generation % 2:  # announced before it stops
            control_plane.set(build.endpoints("c", *(each.address for each in living)))
            await fresh.came(20)
            await leaving.stop()
        else:  # stops before it is announced
            await leaving.stop()
            control_plane.set(build.endpoints("c", *(each.address for each in living)))
            await fresh.came(20)
        assert not [caller for caller in callers if caller.done()]
    stop = True
    await asyncio.gather(*callers)
    assert len(served) == 11
    for each in living:
        await each.stop()


async def test_two_sessions_share_a_target(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: HttpBackend
) -> None:
    control_plane.set(*one_cluster(v1))
    async with proxyless.http.session(mesh) as first:
        async with proxyless.http.session(mesh) as second:
            assert await text(first) == await text(second) == "v1"
            assert v1.connections == 2  # a watch and a connection for requests, of both
        assert await text(first) == "v1"


async def test_a_closed_session_leaves_nothing(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: HttpBackend
) -> None:
    hook, _ = gate()
    before = asyncio.all_tasks()
    async with HttpBackend("slow", hook) as slow:
        route = build.route("slow", prefix="/slow")
        control_plane.set(
            *build.service(NAME, {"c": [v1.address], "slow": [slow.address]}, [route, build.route("c")])
        )
        session = proxyless.http.session(mesh)
        assert await text(session) == "v1"
        waiting = asyncio.create_task(text(session, "/slow"))
        await slow.came(1)
        await session.close()
        with pytest.raises(proxyless.http.ClosedSessionError):
            await waiting
        with pytest.raises(RuntimeError, match="Session is closed"):
            await text(session)
        async with asyncio.timeout(5):
            await v1.until(lambda: not v1.connections)
            await slow.until(lambda: not slow.connections)
    left = {each.get_name() for each in asyncio.all_tasks() - before}
    assert not [name for name in left if "HTTP" in name or "mirror" in name]


async def test_a_closed_session_ends_what_waits_for_configuration(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: HttpBackend
) -> None:
    control_plane.set(*one_cluster(v1)[:3])  # no endpoints
    first, second = proxyless.http.session(mesh), proxyless.http.session(mesh)
    waiting = [asyncio.create_task(text(each)) for each in (first, second)]
    await control_plane.until(
        lambda: any("c" in each.names.get(build.EDS, ()) for each in control_plane.streams)
    )
    for session, request in zip((first, second), waiting, strict=True):  # the last one ends the target, too
        await session.close()
        with pytest.raises(proxyless.http.ClosedSessionError, match="was closed"):
            await request


@pytest.mark.parametrize("what", ["session", "client"])
async def test_being_closed_ends_what_waits_for_another_attempt(
    what: str, control_plane: FakeControlPlane
) -> None:
    rng, seen = Patient(3600), Retries()
    async with (
        HttpBackend("v1", times(-1, 503)) as backend,
        proxyless.Client(bootstrap_for(control_plane), rng=rng, observer=seen) as mesh,
    ):
        long = {"retry_back_off": {"base_interval": "3600s", "max_interval": "3600s"}}
        control_plane.set(*one_cluster(backend, timeout="0s", **retries("5xx", **long)))
        session = proxyless.http.session(mesh)
        waiting = asyncio.create_task(text(session))
        await rng.waits.wait()
        await (session if what == "session" else mesh).close()
        with pytest.raises(proxyless.http.ClosedSessionError):
            await waiting
        await session.close()
    assert not seen.told, "no attempt follows"


async def test_a_closed_client_ends_what_waits(control_plane: FakeControlPlane, v1: HttpBackend) -> None:
    mesh = proxyless.Client(bootstrap_for(control_plane))
    session = proxyless.http.session(mesh)
    request = asyncio.create_task(text(session))
    await control_plane.until(lambda: bool(control_plane.streams))
    await mesh.close()
    with pytest.raises(proxyless.http.ClosedSessionError):
        await request
    with pytest.raises(proxyless.http.ClosedSessionError, match="the session is closed"):
        await text(session)
    await session.close()
