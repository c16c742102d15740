"""`explain` for an HTTP request: what a session would do with it, in code and on the command line."""

from __future__ import annotations

import json
import shlex
from typing import Any

import aiohttp
import proxyless
import pytest

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.http_backends import HttpBackend
from tests.integration.http.conftest import NAME, URL
from tests.integration.http.test_http_routing import IN_DEV
from tests.integration.test_channel_routing import with_fault
from tests.integration.test_explain import proxyless_command

LANE = [("baggage", "env=dev")]
RETRY_ON = "5xx,cancelled,retriable-status-codes,retriable-headers"


def mesh_routes() -> list[Any]:
    """A lane, a route by method and query, a redirect, an answer, an abort, and all the rest with retries."""
    lane = build.route("v2", headers=[IN_DEV]) | {"name": "lane-dev"}
    lane["route"] |= {"timeout": "2.5s", "prefix_rewrite": "/new", "host_rewrite_literal": "other"}
    put = build.route(
        "v2",
        headers=[build.header(":method", string_match={"exact": "PUT"})],
        query_parameters=[{"name": "fast", "string_match": {"exact": "yes"}}],
    )
    redirect = {"host_redirect": "elsewhere", "path_redirect": "/there", "response_code": "FOUND"}
    rest = build.route("v1") | {"name": "base"}
    rest["route"]["retry_policy"] = {
        "retry_on": RETRY_ON,
        "num_retries": 8,
        "retriable_status_codes": [418],
        "retriable_headers": [build.header("x-again", present_match=True)],
    }
    return [
        lane,
        put | {"name": "put"},
        {"name": "moved", "match": {"prefix": "/old"}, "redirect": redirect}
        | {"response_headers_to_add": [{"header": {"key": "x-moved", "value": "1"}}]},
        {"match": {"path": "/hello"}, "direct_response": {"status": 203, "body": {"inline_string": "hi"}}},
        with_fault(build.route("v1", "/broken"), abort={"grpc_status": 5, "percentage": {"numerator": 100}}),
        {"match": {"prefix": "/nowhere"}, "non_forwarding_action": {}},
        rest,
    ]


@pytest.fixture
def configured(control_plane: FakeControlPlane, v1: HttpBackend, v2: HttpBackend) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, mesh_routes()))


@pytest.mark.usefixtures("configured")
async def test_a_lane(mesh: proxyless.Client, session: aiohttp.ClientSession, v2: HttpBackend) -> None:
    url = f"{URL}/delivery/1?x=y"
    decision = await mesh.explain(url, metadata=LANE)
    assert (decision.target, decision.method, decision.listener) == (url, "GET", NAME)
    assert (decision.route, decision.cluster, decision.endpoints) == ("lane-dev", "v2", [v2.address])
    assert (decision.timeout, decision.retry, decision.fault) == (2.5, None, None)
    # `prefix: ""` matches nothing of the path, so the rewrite stands before all of it
    assert decision.rewrite == {"path": "/new/delivery/1?x=y", "authority": "other"}
    assert (decision.answer, decision.error) == (None, None)
    async with session.get(url, headers=dict(LANE)):
        (sent,) = v2.requests
    assert decision.rewrite == {"path": sent[":path"], "authority": sent["host"]}
    assert json.loads(decision.to_json())["rewrite"] == decision.rewrite


@pytest.mark.usefixtures("configured")
async def test_what_envoy_does_for_http_where_a_route_says_little(
    mesh: proxyless.Client, v1: HttpBackend
) -> None:
    decision = await mesh.explain(URL, method="put", metadata=[("Baggage", "env=qa")])
    assert (decision.route, decision.method, decision.target) == ("base", "PUT", f"{URL}/")
    assert decision.timeout == 15
    assert decision.retry == {
        "retry_on": ["5xx", "retriable-headers", "retriable-status-codes"],  # `cancelled` is of gRPC
        "max_attempts": 9,  # gRPC's limit of five is not HTTP's
        "per_try_timeout": None,
        "base_interval": 0.025,
        "max_interval": 0.25,
        "status_codes": [418],
        "headers": ["header 'x-again' present"],
    }
    assert decision.rewrite is None and decision.endpoints == [v1.address]
    assert decision.steps[1] == "route 'put': query parameter 'fast' exact 'yes': it is missing"


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("path", "answer", "edits"),
    [
        ("/old?a=1", {"status": 302, "location": "http://elsewhere/there?a=1"}, True),
        ("/hello", {"status": 203, "body": "hi"}, False),
    ],
)
async def test_what_the_configuration_answers_itself(
    mesh: proxyless.Client,
    session: aiohttp.ClientSession,
    path: str,
    answer: dict[str, Any],
    edits: bool,
) -> None:
    decision = await mesh.explain(URL + path)
    assert (decision.answer, decision.error, decision.cluster) == (answer, None, None)
    assert decision.edits == (["response: append x-moved: 1"] if edits else [])
    async with session.get(URL + path, allow_redirects=False) as response:
        assert response.status == answer["status"]
        assert response.headers.get("location") == answer.get("location")
        assert await response.text() == answer.get("body", "")
        assert ("x-moved" in response.headers) is edits


@pytest.mark.usefixtures("configured")
async def test_requests_that_would_fail(mesh: proxyless.Client, session: aiohttp.ClientSession) -> None:
    decision = await mesh.explain(f"{URL}/broken")
    assert decision.error == "a fault aborts the request with HTTP status 404"
    assert decision.fault == {"abort": {"http_status": 404, "percentage": 100.0}}
    async with session.get(f"{URL}/broken") as response:
        assert response.status == 404
    decision = await mesh.explain(f"{URL}/nowhere")
    assert decision.route is None and decision.answer is None
    assert decision.error == "route #5 has the action 'non_forwarding_action', which no client can follow"
    with pytest.raises(aiohttp.ClientConnectionError, match="which no client can follow"):
        await session.get(f"{URL}/nowhere")


@pytest.mark.usefixtures("configured")
async def test_the_endpoints_of_a_decision_are_those_that_speak_http(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: HttpBackend
) -> None:
    gone = HttpBackend("gone")
    await gone.start()
    address = gone.address
    await gone.stop()
    control_plane.set(build.endpoints("v1", v1.address, address))
    decision = await mesh.explain(URL)
    while decision.endpoints != [v1.address]:  # it takes a connection that fails to know
        decision = await mesh.explain(URL)
    assert decision.error is None
    control_plane.set(build.endpoints("v1", address))
    while (decision := await mesh.explain(URL)).error is None:
        pass
    assert decision.error.startswith("cluster v1: ") and address in decision.error


@pytest.mark.usefixtures("configured")
async def test_explaining_leaves_no_subscription_and_no_connection_behind(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: HttpBackend
) -> None:
    await mesh.explain(URL)
    assert mesh.config_dump()["targets"] == {}
    await v1.until(lambda: v1.connections == 0)
    await control_plane.until(lambda: control_plane.streams[0].names.get(build.EDS) == ())


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("wanted", "url", "method", "headers"),
    [
        ("put", f"{URL}/?fast=yes", "PUT", []),
        ("moved", f"{URL}/old", "GET", []),
        ("lane-dev", f"{URL}/", "GET", [["baggage", "env=dev"]]),
    ],
)
async def test_a_request_that_takes_a_wanted_route(
    mesh: proxyless.Client, wanted: str, url: str, method: str, headers: list[list[str]]
) -> None:
    decision = await mesh.explain(URL, want_route=wanted)
    assert decision.route == "base" and decision.wanted is not None
    (found,) = decision.wanted
    assert (found["hit"], found["obstacle"]) == (False, None)
    assert found["call"] == {"url": url, "method": method, "metadata": headers, "percentage": 100.0}
    again = await mesh.explain(
        url, method=method, metadata=[(name, value) for name, value in headers], want_route=wanted
    )
    assert again.route == wanted
    assert again.wanted is not None
    after = "its redirect answers the request with status 302" if wanted == "moved" else None
    assert (again.wanted[0]["after"], again.wanted[0]["hit"]) == (after, True)


@pytest.mark.usefixtures("configured")
async def test_a_grpc_call_of_the_same_target_is_explained_as_before(mesh: proxyless.Client) -> None:
    decision = await mesh.explain(f"xds:///{NAME}", method="/old")
    assert decision.error == "route 'moved' has the action 'redirect', which gRPC cannot follow"
    assert decision.answer is None
    with pytest.raises(TypeError, match="needs its `method`"):
        await mesh.explain(f"xds:///{NAME}")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://delivery:9080/", "only http:// goes through the mesh"),
        ("http:///delivery", "names no host"),
        ("http://delivery:port/", "'http://delivery:port/': "),
    ],
)
async def test_urls_that_are_refused(mesh: proxyless.Client, url: str, says: str) -> None:
    with pytest.raises(proxyless.TargetError, match=says):
        await mesh.explain(url)


@pytest.mark.usefixtures("configured")
async def test_the_command(control_plane: FakeControlPlane) -> None:
    there = ("--xds-address", control_plane.address)
    code, out, err = await proxyless_command("explain", f"{URL}/a", "-m", "baggage=env=dev", *there)
    assert (code, err) == (0, "")
    assert "lane-dev (#0)" in out and "timeout  2.5 s" in out
    assert "sent as  path /new/a, authority other" in out
    code, out, _ = await proxyless_command("explain", f"{URL}/old", *there)
    assert code == 0 and "answered  with status 302, location http://elsewhere/there" in out
    code, out, _ = await proxyless_command("explain", f"{URL}/broken", *there)
    assert code == 1 and "fault  abort with HTTP status 404 for 100 %" in out
    code, out, _ = await proxyless_command("explain", f"{URL}/a?b=1", *there, "--want-route", "put")
    assert code == 0 and "9 attempts on 5xx, " in out and "status codes 418" in out
    _, _, line = out.partition("would take it ")
    proposed = shlex.split(line.splitlines()[0])
    assert proposed == [f"{URL}/a?b=1&fast=yes", "--method", "PUT"]
    code, out, _ = await proxyless_command("explain", *proposed, *there)
    assert code == 0 and "put (#1)" in out
    code, out, err = await proxyless_command("explain", "https://delivery/", *there)
    assert (code, out) == (2, "") and "only http:// goes through the mesh" in err
