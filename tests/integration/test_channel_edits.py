"""Header mutation over real calls: every call kind, every level, and what interceptors see of it."""

from __future__ import annotations

from typing import Any

import proxyless
import pytest
from google.protobuf.json_format import ParseDict
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET
from .routing import unavailable_first, with_retry

KINDS = {
    "UnaryUnary": "unary_unary",
    "UnaryStream": "unary_stream",
    "StreamUnary": "stream_unary",
    "StreamStream": "stream_stream",
}


def adds(which: str, *pairs: tuple[str, str], action: str = "APPEND_IF_EXISTS_OR_ADD") -> dict[str, Any]:
    options = [{"header": {"key": k, "value": v}, "append_action": action} for k, v in pairs]
    return {f"{which}_headers_to_add": options}


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_and_responses_are_edited(
    kind: str, control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    async def greet(context: aio.ServicerContext[Any, Any]) -> None:
        await context.send_initial_metadata((("server", "v1"), ("kept", "1")))

    route = {
        **build.route("c"),
        **adds("request", ("lane", "%REQ(user)%"), ("user", "john")),
        "request_headers_to_remove": ["secret"],
        **adds("response", ("by", "the-route")),
        "response_headers_to_remove": ["Server"],
    }
    async with Backend("v1", greet) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        multicallable = getattr(mesh.channel(TARGET), KINDS[kind])(f"/test.Service/{kind}")
        for _ in range(2):  # before there is configuration, and with it
            metadata = (("user", "jane"), ("secret", "1"))
            call = multicallable([b"x"] if kind.startswith("Stream") else b"x", metadata=metadata, timeout=20)
            headers = await call.initial_metadata()
            assert (headers["by"], headers["kept"]) == ("the-route", "1")
            assert "server" not in headers
            if KINDS[kind].endswith("stream"):
                assert [message async for message in call]
            else:
                await call
        decision = await mesh.explain(TARGET, method=METHOD)
        assert decision.edits == [
            "request: remove secret",
            "request: append lane: %REQ(user)%",
            "request: append user: john",
            "response: remove server",
            "response: append by: the-route",
        ]
        for seen in backend.calls:
            assert seen["lane"] == "jane"
            assert "secret" not in seen


@pytest.mark.parametrize(("specific_wins", "last"), [(False, "config"), (True, "route")])
async def test_the_levels_have_an_order(
    specific_wins: bool, last: str, control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    def says(level: str) -> dict[str, Any]:
        return {
            "request_headers_to_add": [
                {"header": {"key": "all", "value": level}},
                {"header": {"key": "last", "value": level}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
            ]
        }

    weighted = {"clusters": [{"name": "c", "weight": 1, **says("cluster")}]}
    route = {"match": {"prefix": ""}, "route": {"weighted_clusters": weighted}, **says("route")}
    control_plane.set(*build.service(NAME, {"c": [v1.address]}, [route]))
    config = control_plane.resources[build.RDS][NAME]
    ParseDict(says("host"), config.virtual_hosts[0])
    ParseDict({**says("config"), "most_specific_header_mutations_wins": specific_wins}, config)
    control_plane.set(config)
    await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20)
    assert v1.calls[-1]["last"] == last


async def test_each_attempt_and_each_interceptor_sees_it_once(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    seen: list[list[str]] = []

    class Look(aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            call = await continuation(details, request)
            seen.append([value for name, value in await call.initial_metadata() if name == "by"])
            return call

    route = with_retry(
        {**build.route("c"), **adds("request", ("n", "1")), **adds("response", ("by", "route"))}
    )
    async with Backend("v1", unavailable_first(2)) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [route]))
        channel = mesh.channel(TARGET, interceptors=[Look()])
        call = channel.unary_unary(METHOD)(b"", timeout=20)
        assert await call == b"v1"
        seen.append([value for name, value in await call.initial_metadata() if name == "by"])
        assert seen == [["route"], ["route"]]
        assert [each["n"] for each in backend.calls] == ["1"] * 3


async def test_what_a_route_adds_is_not_matched(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend, v2: Backend
) -> None:
    """Matching comes first: a header that the configuration adds leads nowhere else."""
    lane = build.route("v2", headers=[build.header("lane", exact_match="dev")])
    host = build.virtual_host("vh", ["*"], [lane, build.route("v1")])
    ParseDict(adds("request", ("lane", "dev")), host)
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, []))
    config = build.route_config(NAME, [])
    config.virtual_hosts[0].CopyFrom(host)
    control_plane.set(config)
    assert await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20) == b"v1"
    assert v1.calls[-1]["lane"] == "dev"
