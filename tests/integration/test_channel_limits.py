"""Circuit breakers, drops, outliers, aggregates and host names, over real connections."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import proxyless
import pytest
from google.protobuf.json_format import ParseDict
from grpc import aio
from proxyless.breaker import ACTIVE_FAULTS
from proxyless.dns import NameWatch
from proxyless.resources import DnsDiscovery, Endpoints

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.parity.balancing import aggregate, dns

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import with_fault, with_retry


def limited(requests: int) -> dict[str, Any]:
    return {"thresholds": [{"priority": "HIGH", "max_requests": 0}, {"max_requests": requests}]}


async def test_a_circuit_breaker_counts_the_calls_of_the_whole_process(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    go = asyncio.Event()
    arrived = asyncio.Semaphore(0)

    async def hold(context: aio.ServicerContext[Any, Any]) -> None:
        arrived.release()
        await go.wait()

    async with Backend("v1", hold) as backend, proxyless.Client(bootstrap_for(control_plane)) as other:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [with_retry(build.route("c"))]))
        control_plane.set(build.cluster("c", circuit_breakers=limited(2)))
        calls = [each.channel(TARGET).unary_unary(METHOD) for each in (mesh, other)]
        held = [asyncio.ensure_future(call(b"", timeout=20)) for call in calls]
        for _ in held:
            await arrived.acquire()
        for call in calls:
            with pytest.raises(aio.AioRpcError) as caught:
                await call(b"", timeout=20, wait_for_ready=True)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "cluster c: circuit breaker: 2 calls are in flight" in (caught.value.details() or "")
        go.set()
        assert await asyncio.gather(*held) == [b"v1", b"v1"]
        assert await calls[0](b"", timeout=20) == b"v1"  # there is room again
    assert len(backend.calls) == 3  # what was refused was never sent, nor tried again


@pytest.mark.parametrize("configured", [False, True])
async def test_active_faults_are_counted_in_the_whole_process(
    configured: bool, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    """Also among calls that are made at one moment, none of which has begun to wait (gRFC A33)."""
    delay = {"fixed_delay": "600s", "percentage": {"numerator": 100}}
    route = with_fault(build.route("c"), delay=delay, max_active_faults=2)
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [route]))
    async with proxyless.Client(bootstrap_for(control_plane)) as other:
        if configured:
            for each in (mesh, other):
                await each.explain(TARGET, method=METHOD)
        calls = [each.channel(TARGET).unary_unary(METHOD)(b"") for each in (mesh, other) for _ in range(4)]
        waiting = {asyncio.ensure_future(_answer(call)) for call in calls}
        for _ in range(6):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert {each.result() for each in done} == {b"v1"}
            if len(waiting) == 2:
                break
        assert ACTIVE_FAULTS.value == len(waiting) == 2
        decision = await mesh.explain(TARGET, method=METHOD)
        assert decision.fault is not None and decision.fault["max_active"] == 2
        for call in calls:
            call.cancel()
        await asyncio.wait(waiting)
    assert ACTIVE_FAULTS.value == 0
    assert len(v1.calls) == 6


async def _answer(call: Any) -> bytes:
    return bytes(await call)


@pytest.mark.parametrize("kind", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_a_dropped_call_fails_as_a_call_does(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    overload = {"drop_overloads": [{"category": "too much", "drop_percentage": {"numerator": 100}}]}
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [with_retry(build.route("c"))]))
    control_plane.set(ParseDict({"policy": overload}, build.endpoints("c", v1.address)))
    await mesh.explain(TARGET, method="/x")  # so that the call needs to wait for nothing
    words = {"UnaryUnary": "unary_unary", "UnaryStream": "unary_stream"}
    words |= {"StreamUnary": "stream_unary", "StreamStream": "stream_stream"}
    multicallable = getattr(mesh.channel(TARGET), words[kind])(f"/test.Service/{kind}")
    call = multicallable([b""] if kind.startswith("Stream") else b"", timeout=20)
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert "wants calls dropped (too much)" in await call.details()
    assert not v1.calls
    decision = await mesh.explain(TARGET, method="/x")
    assert decision.balancing is not None and decision.balancing["drops"] == {"too much": 100}


async def test_an_endpoint_that_fails_again_and_again_is_left_alone_for_a_while(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    ill = True

    async def fail(context: aio.ServicerContext[Any, Any]) -> None:
        if ill:
            await context.abort(grpc.StatusCode.INTERNAL, "as told")

    async with Backend("v2", fail) as v2:
        control_plane.set(*build.service(NAME, {"c": [v1.address, v2.address]}, [build.route("c")]))
        control_plane.set(
            build.cluster(
                "c",
                outlier_detection={
                    "consecutive_5xx": 3,
                    "interval": "0.05s",
                    "base_ejection_time": "0.1s",
                    "max_ejection_percent": 100,
                },
            )
        )
        call = mesh.channel(TARGET).unary_unary(METHOD)

        async def ask() -> bytes:
            try:
                return bytes(await call(b"", timeout=20))
            except aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.INTERNAL
                return b"failed"

        while (await mesh.explain(TARGET, method="/x")).endpoints != [v1.address]:
            await ask()
        assert mesh.config_dump()["targets"][TARGET]["clusters"]["c"]["ejected"] == [v2.address]
        assert len(v2.calls) >= 3
        ill = False
        while await ask() != b"v2":  # it comes back by itself
            pass


async def test_an_aggregate_goes_on_with_the_next_cluster_and_comes_back(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    control_plane.set(
        *build.service(NAME, {"near": [v1.address], "far": [v2.address]}, [build.route("both")])
    )
    control_plane.set(*aggregate("near", "far")("both", {}))
    call = mesh.channel(TARGET).unary_unary(METHOD)
    assert await call(b"", timeout=20) == b"v1"
    decision = await mesh.explain(TARGET, method="/x")
    assert (decision.cluster, decision.serving, decision.endpoints) == ("both", "near", [v1.address])
    control_plane.set(build.endpoints("near"))
    while await call(b"", timeout=20) != b"v2":
        pass
    assert (await mesh.explain(TARGET, method="/x")).serving == "far"
    control_plane.set(build.endpoints("near", v1.address))
    while await call(b"", timeout=20) != b"v1":
        pass


@pytest.mark.parametrize("again", [False, True])
async def test_aggregates_that_contain_each_other_fail_by_name(
    again: bool, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {"good": [v1.address]}, [build.route("a")]))
    control_plane.set(*aggregate("b", "good")("a", {}), *aggregate("a")("b", {}))
    with pytest.raises(aio.AioRpcError, match="aggregate cluster 'a' contains itself"):
        await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20)
    if again:  # mended, it serves
        control_plane.set(*aggregate("good")("b", {}))
        call = mesh.channel(TARGET).unary_unary(METHOD)
        assert await call(b"", timeout=20, wait_for_ready=True) == b"v1"


async def test_a_host_name_that_is_nowhere_is_said(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    control_plane.set(*build.service(NAME, {}, [build.route("named")]))
    control_plane.set(*dns("nowhere.invalid", "v1")("named", {"v1": v1.address}))
    with pytest.raises(aio.AioRpcError, match=r"cluster named: 'nowhere.invalid' cannot be resolved"):
        await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20)


async def test_a_host_name_is_looked_up_again_and_a_failure_takes_nothing_away() -> None:
    answers: list[list[str] | OSError] = [
        OSError("not yet"),
        ["10.0.0.1"],
        OSError("not now"),
        ["10.0.0.1"],
        ["10.0.0.2", "10.0.0.3"],
    ]
    told: list[Endpoints | str | None] = []
    all_told = asyncio.Event()

    async def look_up(host: str, port: int) -> list[str]:
        assert (host, port) == ("name", 80)
        if not answers:
            all_told.set()
            return ["10.0.0.2", "10.0.0.3"]
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    watch = NameWatch(DnsDiscovery("name", 80, refresh=0.0), lambda: told.append(watch.answer), look_up)
    await all_told.wait()
    watch.close()
    assert told[0] == "'name' cannot be resolved: not yet"
    found = [each for each in told if isinstance(each, Endpoints)]
    assert [[e.ip for e in each.localities[0].endpoints] for each in found] == [
        ["10.0.0.1"],
        ["10.0.0.2", "10.0.0.3"],
    ]


@pytest.mark.parametrize(
    ("credentials", "cause"),
    [(None, "Connection refused"), (grpc.ssl_channel_credentials(), "Tls handshake failed")],
)
async def test_an_endpoint_out_of_reach_is_given_with_its_cause(
    credentials: grpc.ChannelCredentials | None,
    cause: str,
    control_plane: FakeControlPlane,
    mesh: proxyless.Client,
    v1: Backend,
) -> None:
    address = "127.0.0.1:1" if credentials is None else v1.address
    control_plane.set(*build.service(NAME, {"c": [address]}, [build.route("c")]))
    channel = mesh.channel(TARGET, credentials=credentials)
    with pytest.raises(aio.AioRpcError) as caught:
        await channel.unary_unary(METHOD)(b"", timeout=20)
    assert f"none of its 1 endpoints can be reached ({address}: " in (caught.value.details() or "")
    assert cause in (caught.value.details() or "")
