"""The table of gRFC A31: which deadline a server sees, by the caller's timeout and the configuration's."""

from __future__ import annotations

from typing import Any

import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import NAME, TARGET

ROUTE, LISTENER = "of the route", "of the listener"


def duration(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"max_stream_duration": f"{seconds}s"}


@pytest.mark.parametrize("kind", ["unary_unary", "stream_stream"])
@pytest.mark.parametrize("place", [ROUTE, LISTENER])
@pytest.mark.parametrize(
    ("application", "header_max", "stream", "effective"),
    [
        (None, None, None, None),
        (None, None, 0, None),
        (None, None, 10, 10),
        (None, 0, None, None),
        (None, 0, 5, None),
        (None, 10, None, 10),
        (None, 10, 5, 10),
        (20, None, None, 20),
        (20, None, 0, 20),
        (20, None, 10, 10),
        (20, None, 30, 20),
        (20, 0, None, 20),
        (20, 0, 5, 20),
        (20, 10, None, 10),
        (20, 10, 5, 10),
        (20, 30, 5, 20),
    ],
)
async def test_the_table_of_a31(
    application: float | None,
    header_max: float | None,
    stream: float | None,
    effective: float | None,
    place: str,
    kind: str,
    control_plane: FakeControlPlane,
    mesh: proxyless.Client,
) -> None:
    """`stream` is the effective max_stream_duration: that of the route, else that of the listener."""
    seen: list[float | None] = []

    async def look(context: aio.ServicerContext[Any, Any]) -> None:
        seen.append(context.time_remaining())

    durations = duration(stream) if place == ROUTE else {}
    if header_max is not None:
        durations["grpc_timeout_header_max"] = f"{header_max}s"
    route = {"match": {"prefix": ""}, "route": {"cluster": "c"}}
    if durations:
        route["route"]["max_stream_duration"] = durations  # type: ignore[assignment]
    hcm = {"common_http_protocol_options": duration(stream)} if place == LISTENER else {}
    async with Backend("v1", look) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        control_plane.set(build.listener(NAME, **hcm))
        async with mesh.channel(TARGET) as channel:
            if kind == "unary_unary":
                await channel.unary_unary("/s/UnaryUnary")(b"", timeout=application)
            else:
                call = channel.stream_stream("/s/StreamStream")([b""], timeout=application)
                assert [message async for message in call] == [b"v1:"]
        decision = await mesh.explain(TARGET, method="/s/m")
    limit = stream if header_max is None else header_max
    assert decision.timeout == (limit or None)
    if effective is None:
        assert seen == [None]
    else:
        (remaining,) = seen
        assert remaining is not None and effective - 5 < remaining <= effective + 0.1


async def test_a_listeners_limit_counts_where_the_route_says_none_of_its_own(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    empty = {"match": {"prefix": "/empty"}, "route": {"cluster": "c", "max_stream_duration": {}}}
    none = {"match": {"prefix": ""}, "route": {"cluster": "c", "max_stream_duration": duration(0)}}
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [empty, none]))
    control_plane.set(build.listener(NAME, common_http_protocol_options=duration(10)))
    assert (await mesh.explain(TARGET, method="/empty/m")).timeout == 10
    assert (await mesh.explain(TARGET, method="/s/m")).timeout is None
