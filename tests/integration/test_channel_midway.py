"""The drop-in channel: a control plane that goes in the middle of a change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import proxyless
import proxyless.http
import pytest
import pytest_asyncio
from envoy.config.core.v3.base_pb2 import HeaderValue
from grpc import aio
from proxyless.status import status_lines

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend

from .conftest import METHOD, NAME, TARGET, News
from .routing import IN_LANE, LANE, call, unavailable_first, with_fault, with_retry

ALWAYS = {"numerator": 100}


async def change_and_go(
    control_plane: FakeControlPlane, news: News, mesh: proxyless.Client, routes: Any
) -> None:
    """Change the routes, and be gone before the client hears of the new clusters; it knows that."""
    control_plane.automatic = False
    stream, asked = control_plane.streams[0], len(control_plane.streams[0].names[build.CDS])
    stream.send(build.RDS, [routes], "99")
    await control_plane.until(lambda: len(stream.names[build.CDS]) > asked)
    await control_plane.stop()
    await news.until(lambda: bool(mesh.config_dump()["server"]["error"]))


@pytest_asyncio.fixture
async def midway(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News, v1: Backend, v2: Backend
) -> AsyncIterator[aio.Channel]:
    """All went to v1; now the lane goes to v2, which is known, the rest to what nobody can be asked for."""
    lane = build.route("v2", headers=IN_LANE)
    control_plane.set(
        *build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [lane, build.route("v1")])
    )
    async with mesh.channel(TARGET) as channel:
        assert await call(mesh) == b"v1"
        swapped = [build.route("v1", headers=IN_LANE), build.route("new") | {"name": "next"}]
        await change_and_go(control_plane, news, mesh, build.route_config(NAME, swapped))
        yield channel


async def test_each_call_is_decided_by_itself(midway: aio.Channel, mesh: proxyless.Client) -> None:
    of = midway.unary_unary(METHOD)
    for _ in range(3):
        assert await of(b"", timeout=5) == b"v1"  # as before
        assert await of(b"", metadata=LANE, timeout=5) == b"v1"  # as now: its cluster is ready
    assert await of(b"", wait_for_ready=True, timeout=5) == b"v1"
    stream = midway.unary_stream("/test.Service/UnaryStream")(b"", timeout=5)
    assert [each async for each in stream][:1] == [b"v1"]


async def test_it_is_said_which_configuration_decides(midway: aio.Channel, mesh: proxyless.Client) -> None:
    decision = await mesh.explain(TARGET, method=METHOD, want_route="next")
    assert (decision.cluster, decision.error) == ("v1", None)
    assert decision.route is not None and decision.route.index == 1
    assert any(
        step.startswith("the configuration that was in force before decides: cluster new: CDS resource 'new'")
        for step in decision.steps
    ), decision.steps
    assert decision.steps[-1].startswith("before: route #1: "), decision.steps
    assert decision.wanted is not None
    assert decision.wanted[0]["after"].endswith(
        "what comes then is the configuration that was in force before"
    )
    ready = await mesh.explain(TARGET, method=METHOD, metadata=LANE)
    assert ready.cluster == "v1" and not any("before" in step for step in ready.steps)
    dump = mesh.config_dump()
    assert dump["targets"][TARGET]["decided_before"] == ["new"]
    assert dump["resources"]["CDS"]["resources"]["new"]["state"] == "REQUESTED"
    assert any("calls to new are decided by what was in force before" in line for line in status_lines(dump))


async def test_once_the_control_plane_is_back_the_new_routes_count(
    midway: aio.Channel, mesh: proxyless.Client, control_plane: FakeControlPlane
) -> None:
    of = midway.unary_unary(METHOD)
    async with Backend("v3") as v3:
        assert await of(b"", timeout=5) == b"v1"
        await control_plane.start(control_plane.port)
        await control_plane.until(lambda: any(build.CDS in each.names for each in control_plane.streams))
        stream = control_plane.streams[-1]
        stream.send(build.LDS, [build.listener(NAME)], "99")
        await control_plane.until(lambda: any(r.response_nonce for r in stream.requests))
        held_up = asyncio.ensure_future(of(b"", timeout=20)._response())
        with pytest.raises(aio.AioRpcError) as caught:
            await of(b"", timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "CDS resource 'new'" in (caught.value.details() or "")
        stream.send(build.CDS, [build.cluster(name) for name in ("v1", "new")], "99")
        stream.send(build.EDS, [build.endpoints("new", v3.address)], "99")
        assert await held_up == b"v3"
    assert "decided_before" not in mesh.config_dump()["targets"][TARGET]


async def test_where_the_old_routes_have_no_answer_the_error_is_that_of_the_new(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1", prefix="/test.")]))
    channel = mesh.channel(TARGET)
    assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    changed = build.route_config(NAME, [build.route("new") | {"name": "next"}])
    await change_and_go(control_plane, news, mesh, changed)
    with pytest.raises(aio.AioRpcError) as caught:
        await channel.unary_unary("/other.Service/Method")(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    said = caught.value.details() or ""
    assert await channel.unary_unary(METHOD)(b"", timeout=5) == b"v1"
    assert said.startswith(f"{TARGET}: route 'next': cluster new: CDS resource 'new' cannot be had: ")


async def test_all_that_a_call_gets_is_of_the_configuration_that_decides(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News
) -> None:
    """Its faults, once; its retries; its timeout; what is done to its headers on every level."""

    def signed(by: str, *routes: Any) -> Any:
        made = build.route_config(NAME, routes)
        made.response_headers_to_add.add().header.MergeFrom(HeaderValue(key="by", value=by))
        return made

    async with Backend("v1", unavailable_first(1)) as v1:
        old = with_fault(with_retry(build.route("v1")), delay={"fixed_delay": "0.01s", "percentage": ALWAYS})
        lane = build.route("v1", headers=IN_LANE)
        control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1", prefix="/other")]))
        of = mesh.channel(TARGET).unary_unary(METHOD)
        with pytest.raises(aio.AioRpcError, match="no route"):
            await of(b"", timeout=20)
        control_plane.set(signed("before", old))
        await news.until(lambda: news.updates.count(("RDS", NAME)) == 2 and ("EDS", "v1") in news.updates)
        await change_and_go(control_plane, news, mesh, signed("now", lane, build.route("new")))
        for metadata, by in ((), "before"), (LANE, "now"):
            answering = of(b"", metadata=metadata, timeout=5)
            assert await answering == b"v1"
            assert (await answering.initial_metadata())["by"] == by


@pytest.mark.parametrize("answered", [False, True], ids=["cluster", "answer"])
async def test_http_requests_too(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News, *, answered: bool
) -> None:
    hello: dict[str, Any] = {
        "match": {"prefix": "/hello"},
        "direct_response": {"status": 203, "body": {"inline_string": "hi"}},
        "response_headers_to_add": [{"header": {"key": "x-by", "value": "before"}}],
    }
    async with HttpBackend("v1") as v1, proxyless.http.session(mesh) as session:
        control_plane.set(*build.service("web:80", {"v1": [v1.address]}, [hello, build.route("v1")]))
        url = "http://web:80/hello" if answered else "http://web:80/"
        async with session.get("http://web:80/") as response:
            assert await response.text() == "v1"
        changed = build.route_config("web:80", [build.route("new")])
        await change_and_go(control_plane, news, mesh, changed)
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=5)) as response:
            assert await response.text() == ("hi" if answered else "v1")
            assert response.headers.get("x-by") == ("before" if answered else None)
        decision = await mesh.explain(url)
        assert (decision.answer is not None) is answered
