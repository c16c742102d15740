"""The faults of Kitex's xDS module (kitex-contrib/xds at c9100af), and that none of them is here.

Each docstring says what goes wrong there, and in which function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import proxyless
import pytest
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, bootstrap_for


class Scene:
    """Two clusters of a backend each, and the routes to them."""

    def __init__(self, plane: FakeControlPlane, mesh: proxyless.Client) -> None:
        self.plane = plane
        self.mesh = mesh

    def routes(self, *routes: Any) -> None:
        self.plane.set(build.route_config(NAME, routes))

    def lane(self, *headers: dict[str, Any]) -> None:
        """To v2 where the headers match, else to v1."""
        self.routes(build.route("v2", headers=headers), build.route("v1"))

    async def call(self, *metadata: tuple[str, str], timeout: float = 20) -> str:
        method = self.mesh.channel(TARGET).unary_unary(METHOD)
        return bytes(await method(b"", metadata=metadata, timeout=timeout)).decode()


@pytest.fixture
async def scene(
    control_plane: FakeControlPlane, v1: Backend, v2: Backend, mesh: proxyless.Client
) -> AsyncIterator[Scene]:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, [build.route("v1")]))
    yield Scene(control_plane, mesh)


NARROW = {
    "range": build.header("env", range_match={"start": 1, "end": 5}),
    "present": build.header("env", present_match=True),
    "suffix": build.header("env", string_match={"suffix": "v"}),
    "contains": build.header("env", string_match={"contains": "e"}),
    "ignore_case": build.header("env", string_match={"exact": "dev", "ignore_case": True}),
    "inverted": build.header("env", string_match={"exact": "prod"}, invert_match=True),
    "older exact": build.header("env", exact_match="dev"),
    "older prefix": build.header("env", prefix_match="d"),
    "older regex": build.header("env", safe_regex_match={"regex": "dev"}),
    "exactly nothing": build.header("env", string_match={"exact": ""}),
}


@pytest.mark.parametrize("what", NARROW)
async def test_a_matcher_is_never_dropped(scene: Scene, what: str) -> None:
    """core/xdsresource/matcher.go, BuildMatchers: what it does not know is left out, so everybody matches."""
    scene.lane(NARROW[what])
    assert await scene.call() == "v1"


BROKEN = {
    "a regex that does not compile": build.header("env", string_match={"safe_regex": {"regex": "("}}),
    "an empty prefix": build.header("env", string_match={"prefix": ""}),
    "an empty regex": build.header("env", string_match={"safe_regex": {"regex": ""}}),
    "none at all": build.header("env"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_matcher_that_is_broken_refuses_the_routes(scene: Scene, what: str) -> None:
    """core/xdsresource/matcher.go, BuildMatchers: a broken matcher is left out with a warning, or without."""
    assert await scene.call() == "v1"
    scene.lane(BROKEN[what])
    await scene.plane.until(lambda: bool(scene.plane.nacks))
    assert "virtual_hosts[0].routes[0].match.headers[0]" in scene.plane.nacks[0].error_detail.message
    assert await scene.call() == "v1"


@pytest.mark.parametrize("value", ["dev2", "somedev", "prod,dev"])
async def test_a_regex_matches_the_whole_value(scene: Scene, value: str) -> None:
    """core/xdsresource/matcher.go, RegexMatcher.Match: `MatchString` is content with a part of it."""
    scene.lane(build.header("env", string_match={"safe_regex": {"regex": "dev"}}))
    assert await scene.call(("env", value)) == "v1"
    assert await scene.call(("env", "dev")) == "v2"


@pytest.mark.parametrize("value, expected", [("az", "v2"), ("a", "v1"), ("z", "v1")])
@pytest.mark.parametrize("turned", [False, True])
async def test_two_matchers_on_one_header_both_count(
    scene: Scene, value: str, expected: str, turned: bool
) -> None:
    """core/xdsresource/matcher.go, Matchers: a map by header name, in which the last one is the only one."""
    both = [
        build.header("env", string_match={"prefix": "a"}),
        build.header("env", string_match={"safe_regex": {"regex": ".*z"}}),
    ]
    scene.lane(*(reversed(both) if turned else both))
    assert await scene.call(("env", value)) == expected


async def test_a_weight_of_0_gets_no_call(scene: Scene) -> None:
    """xdssuite/router.go, pickCluster: `currWeight >= targetWeight` gives the first one call too many.

    With the weights 0 and 1 that is every call.
    """
    scene.routes(build.route({"v2": 0, "v1": 1}))
    assert Counter([await scene.call() for _ in range(50)]) == {"v1": 50}


async def test_the_first_back_off_is_the_base_interval(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    """core/xdsresource/rds.go, unmarshalRoutes: `BaseInterval: backoff.GetMaxInterval()`."""
    left = 1

    async def once(context: aio.ServicerContext[Any, Any]) -> None:
        nonlocal left
        if left:
            left -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    async with Backend("v1", once) as backend:
        route = build.route("v1")
        back_off = {"base_interval": "0.001s", "max_interval": "3600s"}
        route["route"]["retry_policy"] = {"retry_on": "unavailable", "retry_back_off": back_off}
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [route]))
        assert await Scene(control_plane, mesh).call(timeout=20) == "v1"
        assert len(backend.calls) == 2


@pytest.mark.parametrize("health", ["UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED"])
async def test_an_unhealthy_endpoint_gets_no_call(
    scene: Scene, v1: Backend, v2: Backend, health: str
) -> None:
    """core/xdsresource/eds.go, parseClusterLoadAssignment: "TODO: add healthcheck"."""
    assignment = build.endpoints("v1", v1.address)
    build.add_locality(assignment, [v2.address], zone="b", health=health)
    scene.plane.set(assignment)
    assert Counter([await scene.call() for _ in range(20)]) == {"v1": 20}
    assert not v2.calls


async def test_a_lower_priority_gets_no_call_while_the_higher_can(
    scene: Scene, v1: Backend, v2: Backend
) -> None:
    """xdssuite/resolver.go, getEndpoints: all localities in one pot ("TODO: filter localities")."""
    assignment = build.endpoints("v1", v1.address)
    build.add_locality(assignment, [v2.address], zone="b", priority=1)
    scene.plane.set(assignment)
    assert Counter([await scene.call() for _ in range(20)]) == {"v1": 20}
    assert not v2.calls


async def test_the_virtual_host_of_the_authority_serves(scene: Scene) -> None:
    """xdssuite/router.go, matchHTTPRoute: "skip the domain match now", so the first host serves everyone."""
    hosts = [
        build.virtual_host("others", ["other:9080", "*.com"], [build.route("v2")]),
        build.virtual_host("ours", [NAME], [build.route("v1")]),
    ]
    scene.plane.set(RouteConfiguration(name=NAME, virtual_hosts=hosts))
    assert await scene.call() == "v1"


async def test_a_client_without_a_control_plane_waits_for_it(v1: Backend) -> None:
    """xdssuite/router.go, NewXDSRouter (NewXDSResolver and NewRetryPolicy as well): `panic`.

    And core/manager/client.go, run: where the first attempt to connect gives up, there is no second.
    """
    plane = FakeControlPlane()
    plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    await plane.start()
    port = plane.port
    await plane.stop()
    config = bootstrap_for(plane)
    async with proxyless.Client(config, reconnect=(0.01, 0.05)) as mesh:
        method = mesh.channel(TARGET).unary_unary(METHOD)
        with pytest.raises(aio.AioRpcError) as caught:
            await method(b"", timeout=20)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert plane.address in (caught.value.details() or "")
        await plane.start(port)
        assert await method(b"", timeout=20, wait_for_ready=True) == b"v1"
    await plane.stop()


async def test_a_client_without_configuration_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """xdssuite/router.go, NewXDSRouter: `panic("xds resource manager has not been initialized")`."""
    for name in ("GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG", "XDS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(proxyless.BootstrapError, match="XDS_ADDRESS"):
        proxyless.insecure_channel(TARGET)


async def test_an_authentication_error_is_no_end(v1: Backend) -> None:
    """core/manager/client.go, receiver: where `auth.IsAuthError`, the xDS client is closed for good."""
    async with FakeControlPlane() as plane:
        plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
        plane.token = "of another day"
        async with proxyless.Client(bootstrap_for(plane), reconnect=(0.01, 0.05)) as mesh:
            method = mesh.channel(TARGET).unary_unary(METHOD)
            with pytest.raises(aio.AioRpcError) as caught:
                await method(b"", timeout=20)
            assert "UNAUTHENTICATED" in (caught.value.details() or "")
            plane.token = ""
            assert await method(b"", timeout=20, wait_for_ready=True) == b"v1"
