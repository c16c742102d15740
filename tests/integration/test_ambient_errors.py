"""What is wrong with the news from the control plane is said where what is in force stops serving (A88)."""

from __future__ import annotations

import grpc
import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, News


async def failure(channel: aio.Channel) -> str:
    with pytest.raises(aio.AioRpcError) as caught:
        await channel.unary_unary(METHOD)(b"", timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return caught.value.details() or ""


async def test_a_refused_version_and_a_lost_control_plane(
    control_plane: FakeControlPlane, mesh: proxyless.Client, news: News
) -> None:
    async with Backend("v1") as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [build.route("c")]))
        channel = mesh.channel(TARGET)
        assert await channel.unary_unary(METHOD)(b"") == b"v1"
        control_plane.set(build.Cluster(name="c"))
        await control_plane.until(lambda: bool(control_plane.nacks))
        assert await channel.unary_unary(METHOD)(b"") == b"v1"
    said = await failure(channel)
    assert "Connection refused" in said
    assert " (meanwhile: CDS resource 'c' was refused: c: type: STATIC is not supported" in said
    await control_plane.stop()
    await news.until(lambda: bool(news.failures))
    said = await failure(channel)
    assert f"(meanwhile: control plane {control_plane.address}: UNAVAILABLE: " in said
