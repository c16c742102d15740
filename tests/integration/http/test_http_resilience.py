"""What becomes of an HTTP request when endpoints fail: retries, timeouts, limits, drain, churn."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import proxyless
import proxyless.http
import pytest
from aiohttp import web

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.integration.http.conftest import NAME, URL, bootstrap_for


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


@pytest.mark.parametrize(
    ("on", "answer", "attempts", "status"),
    [
        ("5xx", (503,), 3, 200),
        ("5xx", (500,), 3, 200),
        ("gateway-error", (502,), 3, 200),
        ("gateway-error", (500,), 1, 500),
        ("retriable-4xx", (409,), 3, 200),
        ("retriable-4xx", (404,), 1, 404),
        ("unavailable", (503,), 1, 503),  # gRPC's conditions say nothing of HTTP
        ("connect-failure", (503,), 1, 503),
    ],
)
async def test_conditions_on_what_is_answered(
    control_plane: FakeControlPlane,
    session: aiohttp.ClientSession,
    on: str,
    answer: tuple[Any, ...],
    attempts: int,
    status: int,
) -> None:
    async with HttpBackend("v1", times(2, *answer)) as backend:
        control_plane.set(*one_cluster(backend, **retries(on)))
        async with session.post(URL, data=b"body") as response:
            assert response.status == status
            await response.read()
        assert len(backend.requests) == attempts
        assert backend.bodies == [b"body"] * attempts


@pytest.mark.parametrize(
    "policy",
    [
        retries("retriable-status-codes", retriable_status_codes=[418]),
        retries("retriable-headers", retriable_headers=[build.header("x-again", present_match=True)]),
    ],
)
async def test_retriable_status_codes_and_headers(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, policy: dict[str, Any]
) -> None:
    async with HttpBackend("v1", times(2, 418, ("X-Again", "yes"))) as backend:
        control_plane.set(*one_cluster(backend, **policy))
        assert await text(session) == "v1"
        assert len(backend.requests) == 3


async def test_a_retry_goes_to_another_endpoint(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    async with HttpBackend("bad", times(-1, 503)) as bad:
        control_plane.set(*one_cluster(v1, bad, **retries("5xx")))
        assert {await text(session) for _ in range(8)} == {"v1"}
        assert bad.requests


async def test_a_reset_is_retried_where_the_policy_says_so(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1", times(1, "reset")) as backend:
        control_plane.set(*one_cluster(backend, **retries("reset")))
        async with session.post(URL, data=b"x") as response:
            assert await response.text() == "v1"
        assert len(backend.requests) == 2


async def test_a_reset_without_a_policy_names_the_endpoint(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1", times(1, "reset")) as backend:
        control_plane.set(*one_cluster(backend))
        with pytest.raises(proxyless.http.EndpointError) as caught:
            await session.post(URL, data=b"x")
        assert f"xds:///{NAME}: route #0: cluster c: {backend.address}: " in str(caught.value)
        assert isinstance(caught.value.__cause__, aiohttp.ClientError)
        assert len(backend.requests) == 1


async def test_a_stream_that_was_read_is_not_sent_again(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with HttpBackend("v1", times(1, 503)) as backend:
        control_plane.set(*one_cluster(backend, **retries("5xx")))
        async with session.post(URL, data=chunks()) as response:
            assert response.status == 503
        assert backend.bodies == [b"onetwo"]


async def test_an_endpoint_that_is_gone_costs_no_request(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    async with HttpBackend("v2") as v2:
        control_plane.set(*one_cluster(v1, v2))
        while {await text(session) for _ in range(4)} != {"v1", "v2"}:
            pass
    for _ in range(20):  # no retry policy: a GET on a connection that was closed is sent again all the same
        assert await text(session) == "v1"


async def test_no_endpoint_can_be_reached(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1") as backend:
        pass
    control_plane.set(*one_cluster(backend))
    with pytest.raises(proxyless.http.UnavailableError) as caught:
        await session.get(URL)
    assert str(caught.value) == (
        f"xds:///{NAME}: route #0: cluster c: none of its 1 endpoints can be reached "
        f"({backend.address}: Connection refused)"
    )


async def test_an_endpoint_that_comes_back_is_used_again(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    backend = HttpBackend("v1")
    await backend.start()
    control_plane.set(*one_cluster(backend))
    assert await text(session) == "v1"
    address = backend.address
    await backend.stop()
    with pytest.raises(proxyless.http.HttpError):
        await session.get(URL)
    await backend.start(address)
    async with asyncio.timeout(10):
        await backend.until(lambda: backend.connections > 0)  # it is looked for all the time
        served = ""
        while not served:  # the other side of that connection is about to know
            await asyncio.sleep(0)
            with contextlib.suppress(proxyless.http.UnavailableError):
                served = await text(session)
    await backend.stop()


# --- timeouts ---------------------------------------------------------------------------------------------


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def test_the_routes_timeout(control_plane: FakeControlPlane, session: aiohttp.ClientSession) -> None:
    async with HttpBackend("slow", never) as backend:
        control_plane.set(*one_cluster(backend, timeout="0.2s"))
        with pytest.raises(proxyless.http.RouteTimeoutError) as caught:
            await session.get(URL)
        assert isinstance(caught.value, TimeoutError)
        assert f"{backend.address}: no response within the time that the route gives" in str(caught.value)


async def test_the_routes_timeout_covers_the_body(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        await asyncio.Event().wait()
        return response

    async with HttpBackend("half", half) as backend:
        control_plane.set(*one_cluster(backend, timeout="0.3s"))
        async with session.get(URL) as response:
            assert response.status == 200
            assert await response.content.read(4) == b"half"
            with pytest.raises(proxyless.http.RouteTimeoutError, match="not complete"):
                await response.read()


async def test_per_try_timeout(control_plane: FakeControlPlane, session: aiohttp.ClientSession) -> None:
    answers = iter([never, never, None])

    async def hook(request: web.Request) -> web.StreamResponse | None:
        chosen = next(answers)
        return await chosen(request) if chosen is not None else None

    async with HttpBackend("v1", hook) as backend:
        control_plane.set(*one_cluster(backend, **retries("5xx", per_try_timeout="0.2s")))
        assert await text(session) == "v1"
        assert len(backend.requests) == 3


async def test_the_callers_own_timeout_is_aiohttps(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("slow", never) as backend:
        control_plane.set(*one_cluster(backend, **retries("5xx")))
        with pytest.raises(TimeoutError) as caught:
            await session.get(URL, timeout=aiohttp.ClientTimeout(total=0.2))
        assert not isinstance(caught.value, proxyless.http.HttpError)
        with pytest.raises(aiohttp.SocketTimeoutError):
            await session.get(URL, timeout=aiohttp.ClientTimeout(sock_read=0.2))
        assert len(backend.requests) == 2


async def test_a_request_waits_for_its_configuration(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    listener, routes, cluster, endpoints = one_cluster(v1)
    control_plane.set(listener, routes, cluster)
    request = asyncio.create_task(text(session))
    await control_plane.until(
        lambda: any("c" in each.names.get(build.EDS, ()) for each in control_plane.streams)
    )
    assert not request.done()
    control_plane.set(endpoints)
    assert await request == "v1"


# --- limits -----------------------------------------------------------------------------------------------


def gate() -> tuple[Any, asyncio.Event]:
    opened = asyncio.Event()

    async def hook(request: web.Request) -> None:
        await opened.wait()

    return hook, opened


async def test_the_circuit_breaker_counts_until_the_response_is_read(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    hook, opened = gate()
    async with HttpBackend("v1", hook) as backend:
        breaker = {"circuit_breakers": {"thresholds": [{"max_requests": 2}]}}
        control_plane.set(*one_cluster(backend, cluster=breaker))
        waiting = [asyncio.create_task(text(session)) for _ in range(2)]
        await backend.came(2)
        with pytest.raises(proxyless.http.UnavailableError, match="circuit breaker: 2 calls are in flight"):
            await session.get(URL)
        opened.set()
        assert await asyncio.gather(*waiting) == ["v1", "v1"]
        assert [await text(session) for _ in range(5)] == ["v1"] * 5  # counted down, every one


async def test_a_request_that_is_given_up_is_counted_down(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    hook, opened = gate()
    async with HttpBackend("v1", hook) as backend:
        breaker = {"circuit_breakers": {"thresholds": [{"max_requests": 1}]}}
        control_plane.set(*one_cluster(backend, cluster=breaker))
        for round_ in range(3):
            waiting = asyncio.create_task(text(session))
            await backend.came(round_ + 1)
            waiting.cancel()
            await asyncio.wait([waiting])
        opened.set()
        assert await text(session) == "v1"


async def test_the_breaker_of_retries(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async with HttpBackend("v1", times(-1, 503)) as backend:
        breaker = {"circuit_breakers": {"thresholds": [{"max_retries": 0}]}}
        control_plane.set(*one_cluster(backend, cluster=breaker, **retries("5xx")))
        async with session.get(URL) as response:
            assert response.status == 503
        assert len(backend.requests) == 1


async def test_drops(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    made = one_cluster(v1)
    drop = made[3].policy.drop_overloads.add(category="lb")
    drop.drop_percentage.numerator = 100
    control_plane.set(*made)
    with pytest.raises(proxyless.http.UnavailableError, match=r"wants calls dropped \(lb\)"):
        await session.get(URL)


@pytest.mark.parametrize("how", [500, 503, "reset"])
async def test_an_endpoint_that_fails_is_ejected(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend, how: Any
) -> None:
    async with HttpBackend("bad", times(-1, how)) as bad:
        outliers = {"consecutive_5xx": 3, "max_ejection_percent": 50, "interval": "60s"}
        control_plane.set(*one_cluster(v1, bad, cluster={"outlier_detection": outliers}))
        for _ in range(40):
            with contextlib.suppress(proxyless.http.EndpointError):
                async with session.post(URL) as response:
                    await response.read()
        assert len(bad.requests) == 3


async def test_a_404_ejects_nobody(control_plane: FakeControlPlane, session: aiohttp.ClientSession) -> None:
    async with HttpBackend("v1", times(-1, 404)) as backend:
        control_plane.set(*one_cluster(backend, cluster={"outlier_detection": {"consecutive_5xx": 2}}))
        for _ in range(10):
            async with session.get(URL) as response:
                assert response.status == 404


# --- coming and going -------------------------------------------------------------------------------------


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


class Patient(random.Random):
    """Waits as long as a back-off may be, and tells when one begins."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = asyncio.Event()

    def uniform(self, a: float, b: float) -> float:
        if b == 3600:
            self.waits.set()
        return b


async def test_a_closed_session_ends_what_waits_for_another_attempt(control_plane: FakeControlPlane) -> None:
    rng = Patient()
    async with (
        HttpBackend("v1", times(-1, 503)) as backend,
        proxyless.Client(bootstrap_for(control_plane), rng=rng) as mesh,
    ):
        long = {"retry_back_off": {"base_interval": "3600s", "max_interval": "3600s"}}
        control_plane.set(*one_cluster(backend, timeout="0s", **retries("5xx", **long)))
        session = proxyless.http.session(mesh)
        waiting = asyncio.create_task(text(session))
        await rng.waits.wait()
        await session.close()
        with pytest.raises(proxyless.http.ClosedSessionError):
            await waiting


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
