"""Mirrored calls: another cluster gets a copy, and nobody who calls notices."""

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
from .test_channel_routing import unavailable_first, with_retry


def mirrored(*policies: dict[str, Any], **match: Any) -> dict[str, Any]:
    route = build.route("v1", **match)
    route["route"]["request_mirror_policies"] = list(policies)
    return route


def share(numerator: int) -> dict[str, Any]:
    return {"default_value": {"numerator": numerator}}


class Mirror(Backend):
    """A backend whose calls can be waited for."""

    def __init__(self, name: str, then: Any = None) -> None:
        self.arrived = asyncio.Semaphore(0)
        self.then = then
        super().__init__(name, self._note)

    async def _note(self, context: aio.ServicerContext[Any, Any]) -> None:
        self.arrived.release()
        if self.then is not None:
            await self.then(context)


@pytest.mark.parametrize("kind", ["UnaryUnary", "UnaryStream"])
async def test_a_copy_goes_along_with_what_the_call_says(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    async with Mirror("copy") as copy:
        route = {
            **mirrored({"cluster": "copy"}),
            "request_headers_to_add": [{"header": {"key": "a", "value": "b"}}],
        }
        control_plane.set(*build.service(NAME, {"v1": [v1.address], "copy": [copy.address]}, [route]))
        channel = mesh.channel(TARGET)
        for _ in range(3):
            if kind == "UnaryUnary":
                call = channel.unary_unary(METHOD)
                assert await call(b"", metadata=[("user", "jane")], timeout=20) == b"v1"
            else:
                stream = channel.unary_stream("/test.Service/UnaryStream")
                assert [m async for m in stream(b"", metadata=[("user", "jane")], timeout=20)] == [b"v1"] * 3
            await copy.arrived.acquire()
        assert {key.authority for key in mesh.pool._active} == {"reviews:9080", "reviews-shadow:9080"}
        assert (await mesh.explain(TARGET, method=METHOD)).mirrors == {"copy": 100}
        assert all((seen["user"], seen["a"]) == ("jane", "b") for seen in copy.calls)
        assert len(v1.calls) == len(copy.calls) == 3


async def hang(context: Any) -> None:
    await asyncio.Event().wait()


async def fail(context: Any) -> None:
    await context.abort(grpc.StatusCode.INTERNAL, "as told")


@pytest.mark.parametrize("then", [hang, fail])
async def test_a_copy_neither_delays_nor_fails_the_call(
    then: Any, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    async with Mirror("copy", then) as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        policies = ({"cluster": "copy"}, {"cluster": "nowhere"})
        control_plane.set(*build.service(NAME, backends, [mirrored(*policies)]))
        async with mesh.channel(TARGET) as channel:
            for _ in range(5):
                assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
                await copy.arrived.acquire()


async def test_retries_are_not_copied_again(control_plane: FakeControlPlane, mesh: proxyless.Client) -> None:
    async with Backend("v1", unavailable_first(2)) as v1, Mirror("copy") as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        control_plane.set(*build.service(NAME, backends, [with_retry(mirrored({"cluster": "copy"}))]))
        call = mesh.channel(TARGET).unary_unary(METHOD)
        for _ in range(2):
            assert await call(b"", timeout=20) == b"v1"
            await copy.arrived.acquire()
        assert (len(v1.calls), len(copy.calls)) == (4, 2)


async def test_a_share_is_drawn(control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend) -> None:
    async with Mirror("all") as everything, Mirror("none") as nothing:
        policies = (
            {"cluster": "none", "runtime_fraction": share(0)},
            {"cluster": "all", "runtime_fraction": share(100)},
        )
        backends = {"v1": [v1.address], "all": [everything.address], "none": [nothing.address]}
        control_plane.set(*build.service(NAME, backends, [mirrored(*policies)]))
        call = mesh.channel(TARGET).unary_unary(METHOD)
        for _ in range(20):
            await call(b"", timeout=20)
            await everything.arrived.acquire()
        assert (len(everything.calls), len(nothing.calls)) == (20, 0)


async def test_closing_gives_up_what_is_on_its_way(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    before = asyncio.all_tasks()
    async with Mirror("copy", hang) as copy:
        backends = {"v1": [v1.address], "copy": [copy.address]}
        control_plane.set(*build.service(NAME, backends, [mirrored({"cluster": "copy"})]))
        async with mesh.channel(TARGET) as channel:
            assert await channel.unary_unary(METHOD)(b"", timeout=20) == b"v1"
            await copy.arrived.acquire()
        left = [task for task in asyncio.all_tasks() - before if task.get_name() == "mirrored call"]
        if left:
            await asyncio.wait(left)
        assert all(task.cancelled() for task in left)
