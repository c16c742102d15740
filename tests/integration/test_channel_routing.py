"""The drop-in channel: retries, faults, fallback, timeouts, and configuration that changes under traffic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import proxyless
import pytest
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from google.protobuf.json_format import ParseDict
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane, pack

from .conftest import METHOD, NAME, TARGET, News, bootstrap_for

LANE = [("baggage", "env=dev")]
IN_LANE = [build.header("baggage", string_match={"exact": "env=dev"})]
RETRY = {"retry_on": "connect-failure,refused-stream,unavailable,cancelled", "num_retries": 2}


def with_retry(route: dict[str, Any], **policy: Any) -> dict[str, Any]:
    route["route"]["retry_policy"] = {**RETRY, **policy}
    return route


def with_fault(route: dict[str, Any], **fault: Any) -> Any:
    made = build.virtual_host("", ["*"], [route]).routes[0]
    made.typed_per_filter_config["envoy.filters.http.fault"].CopyFrom(pack(ParseDict(fault, HTTPFault())))
    return made


def unavailable_first(times: int) -> Any:
    """A hook that aborts the first calls with UNAVAILABLE."""
    left = times

    async def hook(context: Any) -> None:
        nonlocal left
        if left:
            left -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    return hook


@pytest.fixture
async def permissive(control_plane: FakeControlPlane) -> AsyncIterator[proxyless.Client]:
    async with proxyless.Client(bootstrap_for(control_plane), fallback="next-route") as client:
        yield client


async def call(mesh: proxyless.Client, metadata: Any = None, **options: Any) -> bytes:
    response: bytes = await mesh.channel(TARGET).unary_unary(METHOD)(
        b"", **{"metadata": metadata, "timeout": 20, **options}
    )
    return response


# --- retries ----------------------------------------------------------------------------------------------


async def test_a_retry_goes_to_another_host(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v2: Backend
) -> None:
    async with Backend("down", unavailable_first(1000)) as down:
        control_plane.set(
            *build.service(NAME, {"c": [down.address, v2.address]}, [with_retry(build.route("c"))])
        )
        channel = mesh.channel(TARGET)
        answers = [await channel.unary_unary(METHOD)(b"", timeout=20) for _ in range(10)]
        assert answers == [b"v2"] * 10
        assert down.calls, "round robin must have tried the other one"


async def test_retries_end_with_the_last_error(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async with Backend("down", unavailable_first(1000)) as down:
        control_plane.set(*build.service(NAME, {"c": [down.address]}, [with_retry(build.route("c"))]))
        with pytest.raises(aio.AioRpcError) as caught:
            await call(mesh)
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "not now")
        assert len(down.calls) == 3


async def test_a_streamed_request_is_sent_again(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    accepted = asyncio.Event()
    refuse = unavailable_first(2)

    async def refuse_twice(context: Any) -> None:
        await refuse(context)
        accepted.set()

    async def requests() -> AsyncIterator[bytes]:
        yield b"a"
        # Not before: grpc.aio reports INTERNAL for a call that ends while it is being written to.
        await accepted.wait()
        yield b"b"

    async with Backend("v1", refuse_twice) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [with_retry(build.route("c"))]))
        multicallable = mesh.channel(TARGET).stream_unary("/s/StreamUnary")
        assert await multicallable(requests(), timeout=20) == b"v1:a:b"
        assert len(backend.calls) == 3


@pytest.mark.parametrize(
    ("code", "attempts"),
    [(grpc.StatusCode.INTERNAL, 1), (grpc.StatusCode.CANCELLED, 3), (grpc.StatusCode.NOT_FOUND, 1)],
)
async def test_only_the_named_codes_are_retried(
    code: grpc.StatusCode, attempts: int, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def fail(context: Any) -> None:
        await context.abort(code, "no")

    async with Backend("v1", fail) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [with_retry(build.route("c"))]))
        with pytest.raises(aio.AioRpcError) as caught:
            await call(mesh)
        assert caught.value.code() is code
        assert len(backend.calls) == attempts


async def test_push_back_says_no(control_plane: FakeControlPlane, mesh: proxyless.Client) -> None:
    async def fail(context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "no", (("grpc-retry-pushback-ms", "-1"),))

    async with Backend("v1", fail) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [with_retry(build.route("c"))]))
        with pytest.raises(aio.AioRpcError):
            await call(mesh)
        assert len(backend.calls) == 1


@pytest.mark.parametrize(("retry_on", "attempts"), [("reset", 3), ("5xx", 3), ("unavailable", 1)])
async def test_an_attempt_that_takes_too_long_is_followed_by_another(
    retry_on: str, attempts: int, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def hang(context: Any) -> None:
        if len(slow.calls) < 3:
            await asyncio.Event().wait()

    async with Backend("slow", hang) as slow:
        route = with_retry(build.route("c"), retry_on=retry_on, per_try_timeout="0.1s")
        control_plane.set(*build.service(NAME, {"c": [slow.address]}, [route]))
        if attempts == 3:
            assert await call(mesh) == b"slow"
        else:
            with pytest.raises(aio.AioRpcError) as caught:
                await call(mesh)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len(slow.calls) == attempts
        decision = await mesh.explain(TARGET, method=METHOD)
        assert decision.retry is not None and decision.retry["per_try_timeout"] == 0.1


async def test_the_deadline_goes_before_the_time_of_an_attempt(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def hang(context: Any) -> None:
        await asyncio.Event().wait()

    async with Backend("slow", hang) as slow:
        route = with_retry(build.route("c"), retry_on="reset", per_try_timeout="60s")
        control_plane.set(*build.service(NAME, {"c": [slow.address]}, [route]))
        ended = asyncio.ensure_future(call(mesh, timeout=1))
        await mesh.explain(TARGET, method=METHOD)
        with pytest.raises(aio.AioRpcError) as caught:
            await ended
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len(slow.calls) == 1


# --- timeouts and faults ----------------------------------------------------------------------------------


async def test_the_route_s_timeout_holds_and_zero_is_none(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def hang(context: Any) -> None:
        await asyncio.Event().wait()

    async with Backend("v1", hang) as backend:
        slow = build.route("c", headers=[build.header("slow", present_match=True)])
        slow["route"]["max_stream_duration"] = {"max_stream_duration": "0.05s"}
        unlimited = build.route("c")
        unlimited["route"]["max_stream_duration"] = {"max_stream_duration": "0s"}
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [slow, unlimited]))
        with pytest.raises(aio.AioRpcError) as caught:
            await call(mesh, [("slow", "1")], timeout=None)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        decision = await mesh.explain(TARGET, method=METHOD)
        assert decision.timeout is None
        with pytest.raises(aio.AioRpcError) as caught:
            await call(mesh, timeout=0.05)  # the caller's own always applies
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_injected_abort_names_its_route_and_is_not_retried(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    route = with_retry(build.route("c"))
    route["name"] = "broken-on-purpose"
    abort = {"grpc_status": 14, "percentage": {"numerator": 100}}
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [with_fault(route, abort=abort)]))
    with pytest.raises(aio.AioRpcError) as caught:
        await call(mesh)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "'broken-on-purpose'" in (caught.value.details() or "")
    assert not v1.calls


async def test_an_injected_delay_longer_than_the_deadline(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    delay = {"fixed_delay": "600s", "percentage": {"numerator": 100}}
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [with_fault(build.route("c"), delay=delay)]))
    with pytest.raises(aio.AioRpcError) as caught:
        await call(mesh, timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not v1.calls


async def test_a_delayed_call_arrives(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    delay = {"fixed_delay": "0.01s", "percentage": {"numerator": 100}}
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [with_fault(build.route("c"), delay=delay)]))
    assert await call(mesh) == b"v1"


# --- fallback ---------------------------------------------------------------------------------------------


def lane_routes(*, strict: bool = False) -> list[Any]:
    routes = [{**build.route("v2", headers=IN_LANE), "name": "lane-dev"}]
    if strict:
        abort = {"grpc_status": 14, "percentage": {"numerator": 100}}
        routes.append(
            with_fault({**build.route("v1", headers=IN_LANE), "name": "lane-dev-strict"}, abort=abort)
        )
    return [*routes, {**build.route("v1"), "name": "base"}]


@pytest.mark.parametrize("how", ["no endpoints", "unhealthy", "unreachable", "no cluster"])
async def test_a_lane_without_a_usable_endpoint(
    how: str,
    control_plane: FakeControlPlane,
    permissive: proxyless.Client,
    mesh: proxyless.Client,
    v1: Backend,
) -> None:
    backends = {"v1": [v1.address], "v2": ["127.0.0.1:1"] if how == "unreachable" else []}
    if how == "no cluster":
        del backends["v2"]
    control_plane.set(*build.service(NAME, backends, lane_routes()))
    if how == "unhealthy":
        control_plane.set(build.endpoints("v2", "127.0.0.1:1", health="UNHEALTHY"))
    assert await call(permissive, LANE) == b"v1"
    decision = await permissive.explain(TARGET, method=METHOD, metadata=LANE)
    assert decision.cluster == "v1"
    assert any("lane-dev" in step and "v2" in step for step in decision.steps)
    with pytest.raises(aio.AioRpcError) as caught:
        await call(mesh, LANE)  # without fallback the call fails, naming the cluster
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "v2" in (caught.value.details() or "")


async def test_a_strict_lane_refuses_and_says_which_cluster_had_nothing(
    control_plane: FakeControlPlane, permissive: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": []}, lane_routes(strict=True)))
    with pytest.raises(aio.AioRpcError) as caught:
        await call(permissive, LANE)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "lane-dev-strict" in (caught.value.details() or "")
    assert "cluster v2: it has no endpoints" in (caught.value.details() or "")
    assert await call(permissive) == b"v1"


async def test_an_instance_that_dies_fails_no_call_and_its_lane_comes_back(
    control_plane: FakeControlPlane, permissive: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    routes = [with_retry({**route}) for route in lane_routes()]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, routes))
    channel = permissive.channel(TARGET)
    multicallable = channel.unary_unary(METHOD)
    assert await multicallable(b"", metadata=LANE, timeout=20) == b"v2"
    answers: list[bytes] = []

    async def drive() -> None:
        while answers[-3:] != [b"v1"] * 3:
            answers.append(await multicallable(b"", metadata=LANE, timeout=20))

    driving = [asyncio.create_task(drive()) for _ in range(8)]
    address = v2.address
    await v2.stop(None)
    await asyncio.gather(*driving)
    await v2.start(address)
    while await multicallable(b"", metadata=LANE, timeout=20) != b"v2":
        pass


async def test_weighted_clusters_draw_again_among_the_usable(
    control_plane: FakeControlPlane, permissive: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    routes = [build.route({"gone": 1000, "v2": 1}), build.route("v1")]
    control_plane.set(*build.service(NAME, {"gone": [], "v2": [v2.address], "v1": [v1.address]}, routes))
    assert {await call(permissive) for _ in range(20)} == {b"v2"}


# --- configuration that changes ---------------------------------------------------------------------------


async def test_a_missing_cluster_holds_up_only_its_own_calls(mesh_by_hand: Any, v1: Backend) -> None:
    control_plane, mesh = mesh_by_hand
    channel = mesh.channel(TARGET)
    good = asyncio.create_task(channel.unary_unary(METHOD)(b"", timeout=20)._response())
    held_up = channel.unary_unary(METHOD)(b"", metadata=LANE, timeout=20)
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    stream = control_plane.streams[0]
    routes = build.route_config(NAME, [build.route("v2", headers=IN_LANE), build.route("v1")])
    stream.send(build.LDS, [build.listener(NAME)])
    stream.send(build.RDS, [routes])
    await control_plane.until(lambda: stream.names.get(build.CDS) == ("v1", "v2"))
    stream.send(build.CDS, [build.cluster("v1")])
    stream.send(build.EDS, [build.endpoints("v1", v1.address)])
    assert await good == b"v1"
    with pytest.raises(aio.AioRpcError) as caught:
        await held_up
    assert "CDS resource 'v2' does not exist" in (caught.value.details() or "")


async def test_an_edit_takes_effect_and_a_bad_one_does_not(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [build.route("v1")]))
    assert await call(mesh) == b"v1"
    bad = [build.route("v2", headers=[build.header("x", string_match={"safe_regex": {"regex": "("}})])]
    control_plane.set(build.route_config(NAME, bad))
    await control_plane.until(lambda: bool(control_plane.nacks))
    message = control_plane.nacks[0].error_detail.message
    assert NAME in message and "routes[0].match.headers[0].string_match.safe_regex.regex" in message
    assert await call(mesh) == b"v1"
    dump = mesh.config_dump()["resources"]["RDS"]["resources"][NAME]
    assert dump["state"] == "NACKED" and "routes[0]" in dump["error"]
    control_plane.set(build.route_config(NAME, [build.route("v2")]))
    while await call(mesh) != b"v2":
        pass
    assert mesh.config_dump()["resources"]["RDS"]["resources"][NAME]["state"] == "ACKED"


def subchannels(mesh: proxyless.Client, cluster: str) -> dict[str, str]:
    connected: dict[str, str] = mesh.config_dump()["targets"][TARGET]["clusters"][cluster]["subchannels"]
    return connected


async def test_endpoints_that_leave_are_drained(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News, v2: Backend
) -> None:
    reached, hold = asyncio.Event(), asyncio.Event()

    async def wait(context: Any) -> None:
        reached.set()
        await hold.wait()

    async with Backend("v1", wait) as leaving:
        control_plane.set(*build.service(NAME, {"c": [leaving.address]}, [build.route("c")]))
        channel = mesh.channel(TARGET)
        in_flight = channel.unary_unary(METHOD)(b"", timeout=20)
        await reached.wait()
        control_plane.set(build.endpoints("c", v2.address))
        await news.until(lambda: v2.address in subchannels(mesh, "c") and len(subchannels(mesh, "c")) == 1)
        assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v2"
        hold.set()
        assert await in_flight == b"v1"


async def test_the_control_plane_comes_and_goes_without_a_failed_call(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [build.route("v1")]))
    channel = mesh.channel(TARGET)
    assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    port = control_plane.port
    await control_plane.stop()
    assert [await channel.unary_unary(METHOD)(b"", timeout=20) for _ in range(5)] == [b"v1"] * 5
    control_plane.resources[build.RDS][NAME] = build.route_config(NAME, [build.route("v2")])
    await control_plane.start(port)
    while await channel.unary_unary(METHOD)(b"", timeout=20) != b"v2":
        pass
    first = control_plane.streams[0].requests[0]
    assert first.node.id.startswith("sidecar~")


async def test_dropping_the_last_channel_never_sends_an_empty_listener_list(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    channel = mesh.channel(TARGET)
    assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
    await channel.close()
    stream = control_plane.streams[0]
    await control_plane.until(lambda: stream.names.get(build.EDS) == ())
    assert stream.names[build.LDS] == (NAME,)
    control_plane.set(*build.service("other:1", {"v1": [v1.address]}, [build.route("v1")]))
    other = mesh.channel("xds:///other:1").unary_unary(METHOD)
    assert await other(b"", timeout=20) == b"v1"


async def test_a_response_over_four_mebibytes(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    routes = [
        build.route("v1", headers=[build.header("x", string_match={"exact": f"{i:0>200}"})])
        for i in range(20_000)
    ]
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [*routes, build.route("v1")]))
    config = control_plane.resources[build.RDS][NAME]
    assert config.ByteSize() > 4 * 1024 * 1024
    assert await call(mesh, timeout=50) == b"v1"


async def test_the_limit_of_a_response_can_be_set(control_plane: FakeControlPlane, v1: Backend) -> None:
    routes = [build.route("v1", prefix=f"/{i:0>200}") for i in range(100)]
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, routes))
    async with proxyless.Client(bootstrap_for(control_plane), max_response=10_000) as mesh:
        stream_failed = asyncio.create_task(control_plane.until(lambda: len(control_plane.metadata) > 1))
        waiting = mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=30)
        await stream_failed  # it was opened anew
        waiting.cancel()


async def test_fields_without_effect_are_reported_once(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News, v1: Backend
) -> None:
    made = build.service(NAME, {"v1": [v1.address]}, [build.route("v1")])
    made[1].virtual_hosts[0].include_request_attempt_count = True
    control_plane.set(*made)
    assert await call(mesh) == b"v1"
    made[1].virtual_hosts[0].name = "changed"
    control_plane.set(made[1])
    await news.until(lambda: news.updates.count(("RDS", NAME)) == 2)
    assert news.notes == [("RDS", "virtual_hosts[0].include_request_attempt_count: has no effect here")]
