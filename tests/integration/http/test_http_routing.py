"""Where an HTTP request goes: the same rules as a gRPC call's, and those that only HTTP has."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import proxyless
import proxyless.http
import pytest
from aiohttp import web
from proxyless.errors import XdsError

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.integration.http.conftest import NAME, URL, bootstrap_for

IN_DEV = build.header("baggage", string_match={"safe_regex": {"regex": r"(.*,)?env=dev(;.*)?(,.*)?"}})


async def text(session: aiohttp.ClientSession, path: str = "/", **options: Any) -> str:
    async with session.get(URL + path, **options) as response:
        return await response.text()


async def test_a_lane_by_header(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend, v2: HttpBackend
) -> None:
    routes = [build.route("v2", headers=[IN_DEV]), build.route("v1")]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, routes))
    assert await text(session) == "v1"
    assert await text(session, headers={"baggage": "user=7,env=dev"}) == "v2"
    assert await text(session, headers={"baggage": "env=dev2"}) == "v1"


async def test_the_host_header_is_the_authority_and_the_query_goes_along(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    async with session.get(f"{URL}/delivery/7%2F1?fast=1", params={"to": "a b"}) as response:
        assert str(response.url) == f"{URL}/delivery/7%2F1?fast=1&to=a+b"
        assert response.method == "GET"
    (seen,) = v1.requests
    assert seen["host"] == NAME
    assert seen[":path"] == "/delivery/7%2F1?fast=1&to=a+b"


@pytest.mark.parametrize(
    ("match", "method", "path", "headers", "hit"),
    [
        ({"path": "/a"}, "GET", "/a?x=1", {}, True),  # a path is matched without its query
        ({"headers": [build.header(":path", string_match={"exact": "/a?x=1"})]}, "GET", "/a?x=1", {}, True),
        ({"headers": [build.header(":method", string_match={"exact": "PUT"})]}, "PUT", "/a", {}, True),
        ({"headers": [build.header(":method", string_match={"exact": "PUT"})]}, "GET", "/a", {}, False),
        ({"headers": [build.header("x-bin", present_match=True)]}, "GET", "/a", {"x-bin": "1"}, True),
        ({"headers": [build.header(":authority", string_match={"exact": NAME})]}, "GET", "/a", {}, True),
        (
            {"headers": [build.header("content-type", string_match={"exact": "text/plain"})]},
            "POST",
            "/",
            {"content-type": "text/plain"},
            True,
        ),
        ({"query_parameters": [{"name": "x", "present_match": True}]}, "GET", "/?x", {}, True),
        ({"query_parameters": [{"name": "x", "string_match": {"exact": "2"}}]}, "GET", "/?x=1", {}, False),
        ({"grpc": {}}, "GET", "/", {}, False),
    ],
)
async def test_what_http_offers_to_the_matchers(
    control_plane: FakeControlPlane,
    session: aiohttp.ClientSession,
    v1: HttpBackend,
    v2: HttpBackend,
    match: dict[str, Any],
    method: str,
    path: str,
    headers: dict[str, str],
    hit: bool,
) -> None:
    routes = [build.route("v2", **match), build.route("v1")]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, routes))
    async with session.request(method, URL + path, headers=headers) as response:
        assert await response.text() == ("v2" if hit else "v1")


async def test_fallback_to_the_next_route(control_plane: FakeControlPlane, v1: HttpBackend) -> None:
    routes = [build.route("v2", headers=[IN_DEV]), build.route("v1")]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": []}, routes))
    async with (
        proxyless.Client(bootstrap_for(control_plane), fallback="next-route") as mesh,
        proxyless.http.session(mesh) as session,
    ):
        assert await text(session, headers={"baggage": "env=dev"}) == "v1"
    async with (
        proxyless.Client(bootstrap_for(control_plane)) as mesh,
        proxyless.http.session(mesh) as session,
    ):
        with pytest.raises(proxyless.http.UnavailableError) as caught:
            await text(session, headers={"baggage": "env=dev"})
    assert isinstance(caught.value, aiohttp.ClientError)
    assert isinstance(caught.value, XdsError)
    assert str(caught.value) == f"xds:///{NAME}: route #0: cluster v2: it has no endpoints"


async def test_a_strict_lane_answers_503_and_says_which_endpoints_it_wanted(
    control_plane: FakeControlPlane, v1: HttpBackend
) -> None:
    strict = build.route("v1", headers=[IN_DEV]) | {
        "name": "lane-dev-strict",
        "typed_per_filter_config": build_fault(grpc_status=14),
    }
    routes = [build.route("v2", headers=[IN_DEV]) | {"name": "lane-dev"}, strict, build.route("v1")]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": []}, routes))
    async with (
        proxyless.Client(bootstrap_for(control_plane), fallback="next-route") as mesh,
        proxyless.http.session(mesh) as session,
        session.get(URL, headers={"baggage": "env=dev"}) as response,
    ):
        assert response.status == 503
        assert await response.text() == (
            f"fault filter abort: xds:///{NAME}: fault injected by route 'lane-dev-strict' "
            "(before: route 'lane-dev': cluster v2: it has no endpoints)"
        )
    assert v1.requests == []


def build_fault(**abort: Any) -> dict[str, Any]:
    return {
        "envoy.filters.http.fault": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": {**abort, "percentage": {"numerator": 100}},
        }
    }


@pytest.mark.parametrize(
    ("abort", "headers", "status"),
    [
        ({"http_status": 418}, {}, 418),
        ({"http_status": 200}, {}, 200),
        ({"grpc_status": 5}, {}, 404),
        ({"grpc_status": 13}, {}, 500),
        ({"header_abort": {}}, {"x-envoy-fault-abort-request": "429"}, 429),
        ({"header_abort": {}}, {"x-envoy-fault-abort-grpc-request": "16"}, 401),
    ],
)
async def test_a_fault_aborts_with_an_http_status(
    control_plane: FakeControlPlane,
    session: aiohttp.ClientSession,
    v1: HttpBackend,
    abort: dict[str, Any],
    headers: dict[str, str],
    status: int,
) -> None:
    route = build.route("v1") | {"typed_per_filter_config": build_fault(**abort)}
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [route]))
    async with session.get(URL, headers=headers) as response:
        assert response.status == status
        assert (await response.text()).startswith("fault filter abort")
    async with session.head(URL, headers=headers) as response:
        assert (response.status, await response.read()) == (status, b"")
    assert v1.requests == []


async def test_a_fault_delays(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    fault = build_fault(http_status=500)
    fault["envoy.filters.http.fault"].pop("abort")
    fault["envoy.filters.http.fault"]["delay"] = {"fixed_delay": "0.2s", "percentage": {"numerator": 100}}
    route = build.route("v1") | {"typed_per_filter_config": fault}
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [route]))
    loop = asyncio.get_running_loop()
    await text(session, "/warm")
    begun = loop.time()
    assert await text(session) == "v1"
    assert loop.time() - begun >= 0.2


async def test_a_redirect_is_followed_or_not_as_aiohttp_is_told(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend, v2: HttpBackend
) -> None:
    redirect = {
        "match": {"prefix": "/old"},
        "redirect": {"host_redirect": "details:9080", "prefix_rewrite": "/new"},
    }
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [redirect, build.route("v1")]))
    control_plane.set(*build.service("details:9080", {"v2": [v2.address]}, [build.route("v2")]))
    async with session.get(f"{URL}/old/7?a=b", allow_redirects=False) as response:
        assert response.status == 301
        assert response.headers["Location"] == "http://details:9080/new/7?a=b"
    async with session.get(f"{URL}/old/7?a=b") as response:
        assert await response.text() == "v2"
        assert [each.status for each in response.history] == [301]
    assert v2.requests[-1]["host"] == "details:9080"


async def test_a_direct_response_with_the_routes_headers(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    direct = {
        "match": {"prefix": "/teapot"},
        "direct_response": {"status": 418, "body": {"inline_string": "short and stout"}},
        "response_headers_to_add": [{"header": {"key": "x-by", "value": "mesh"}}],
    }
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [direct, build.route("v1")]))
    async with session.post(f"{URL}/teapot", data=b"x" * 100_000) as response:
        assert (response.status, await response.text()) == (418, "short and stout")
        assert response.headers["x-by"] == "mesh"
        with pytest.raises(aiohttp.ClientResponseError):
            response.raise_for_status()


async def test_headers_are_edited_both_ways_and_the_path_and_authority_rewritten(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend
) -> None:
    route = build.route("v1", prefix="/api") | {
        "request_headers_to_add": [{"header": {"key": "x-lane", "value": "%REQ(baggage)%"}}],
        "request_headers_to_remove": ["x-secret"],
        "response_headers_to_add": [{"header": {"key": "set-cookie", "value": "a=b"}}],
        "response_headers_to_remove": ["x-served-by"],
    }
    route["route"] |= {"prefix_rewrite": "/v2/api", "host_rewrite_literal": "other.example"}
    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [route]))
    sent = {"baggage": "env=dev", "x-secret": "1"}
    async with session.get(f"{URL}/api/x?y=1", headers=sent) as response:
        assert "x-served-by" not in response.headers
        assert response.cookies["a"].value == "b"
        assert str(response.url) == f"{URL}/api/x?y=1"
    (seen,) = v1.requests
    assert (seen["x-lane"], seen["host"], seen[":path"]) == ("env=dev", "other.example", "/v2/api/x?y=1")
    assert "x-secret" not in seen
    assert [each.value for each in session.cookie_jar if each.key == "a"] == ["b"]


async def test_a_hash_policy_keeps_a_user_with_an_endpoint(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend, v2: HttpBackend
) -> None:
    route = build.route("c")
    route["route"]["hash_policy"] = [{"header": {"header_name": "x-user"}}]
    listener, routes, _, endpoints = build.service(NAME, {"c": [v1.address, v2.address]}, [route])
    cluster = build.cluster("c", lb_policy="RING_HASH")
    control_plane.set(listener, routes, cluster, endpoints)
    homes = {}
    for user in map(str, range(20)):
        answers = {await text(session, headers={"x-user": user}) for _ in range(3)}
        assert len(answers) == 1
        homes[user] = answers.pop()
    assert set(homes.values()) == {"v1", "v2"}


async def test_a_query_parameter_keeps_requests_with_an_endpoint(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend, v2: HttpBackend
) -> None:
    route = build.route("c")
    route["route"]["hash_policy"] = [{"query_parameter": {"name": "user"}}]
    listener, routes, _, endpoints = build.service(NAME, {"c": [v1.address, v2.address]}, [route])
    control_plane.set(listener, routes, build.cluster("c", lb_policy="RING_HASH"), endpoints)
    homes = {}
    for user in map(str, range(20)):
        answers = {await text(session, f"/?try={i}&user={user}") for i in range(3)}
        assert len(answers) == 1
        homes[user] = answers.pop()
    assert set(homes.values()) == {"v1", "v2"}


async def test_a_cookie_keeps_a_session_with_an_endpoint(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: HttpBackend, v2: HttpBackend
) -> None:
    route = build.route("c")
    cookie = {"name": "home", "ttl": "60s", "path": "/"}
    route["route"]["hash_policy"] = [{"cookie": cookie}]
    listener, routes, _, endpoints = build.service(NAME, {"c": [v1.address, v2.address]}, [route])
    control_plane.set(listener, routes, build.cluster("c", lb_policy="RING_HASH"), endpoints)
    homes = set()
    for _ in range(20):
        async with proxyless.http.session(mesh) as session:
            async with session.get(URL) as response:
                answers = {await response.text()}
                assert response.cookies["home"]["max-age"] == "60" and response.cookies["home"]["path"] == "/"
                value = response.cookies["home"].value
            for _ in range(3):
                async with session.get(URL) as response:
                    answers.add(await response.text())
                    assert "home" not in response.cookies
            assert len(answers) == 1
            homes |= answers
            async with session.get(URL, cookies={"home": value}) as response:
                assert {await response.text()} == answers
    assert homes == {"v1", "v2"}
    control_plane.set(build.cluster("c"))  # round robin, which asks for no hash
    async with proxyless.http.session(mesh) as session:
        seen = {"v1": 0, "v2": 0}
        while "home" in (await session.get(URL)).cookies:
            pass  # until the new cluster is there
        for _ in range(4):
            session.cookie_jar.clear()
            async with session.get(URL) as response:
                assert "home" not in response.cookies
                seen[await response.text()] += 1
    assert min(seen.values()) > 0


async def test_a_mirror_gets_a_copy_under_the_shadow_authority(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, v1: HttpBackend, v2: HttpBackend
) -> None:
    route = build.route("v1")
    route["route"]["request_mirror_policies"] = [{"cluster": "v2"}]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [route]))
    async with session.post(f"{URL}/x?y=1", json={"book": 7}, headers={"baggage": "env=dev"}) as response:
        assert await response.text() == "v1"
    async with asyncio.timeout(5):
        await v2.came(1)
    (copy,) = v2.requests
    assert (copy["host"], copy[":method"], copy[":path"]) == ("delivery-shadow:9080", "POST", "/x?y=1")
    assert copy["baggage"] == "env=dev"
    assert copy["content-type"] == "application/json"
    assert copy["content-length"] == str(len('{"book": 7}'))


async def test_own_middlewares_run_before_matching_and_once(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: HttpBackend, v2: HttpBackend
) -> None:
    async def colour(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["baggage"] = "env=dev"
        return await handler(request)

    routes = [build.route("v2", headers=[IN_DEV]), build.route("v1")]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, routes))
    async with proxyless.http.session(mesh, middlewares=[colour]) as session:
        assert await text(session) == "v2"
        with pytest.raises(proxyless.http.UnavailableError, match="replace those of its session"):
            await text(session, middlewares=[colour])


async def test_a_websocket_goes_the_same_way(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession
) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket

    async with HttpBackend("ws", echo) as backend:
        control_plane.set(*build.service(NAME, {"c": [backend.address]}, [build.route("c")]))
        async with session.ws_connect(URL) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "echo hello"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://delivery:9080/", "plain text"),
        (
            "http://nobody:80/",
            "xds:///nobody:80: LDS resource 'nobody:80' does not exist in the control plane",
        ),
        ("http://nobody/", "xds:///nobody:80: LDS resource 'nobody:80' does not exist in the control plane"),
        (f"{URL}/nowhere", "no route of virtual host 'vh' matches /nowhere"),
    ],
)
async def test_what_cannot_be_routed_says_why(
    control_plane: FakeControlPlane, session: aiohttp.ClientSession, url: str, told: str
) -> None:
    control_plane.set(*build.service(NAME, {"v1": []}, [build.route("v1", prefix="/only")]))
    with pytest.raises(proxyless.http.UnavailableError) as caught:
        await session.get(url)
    assert told in str(caught.value)


async def test_options_that_are_the_meshs_are_refused(mesh: proxyless.Client) -> None:
    with pytest.raises(TypeError, match="'connector'"):
        proxyless.http.session(mesh, connector=None)
