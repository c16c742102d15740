"""The drop-in channel: timeouts of routes, and faults."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET
from .routing import call, with_fault, with_retry


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
