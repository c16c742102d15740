"""A mesh for the length of a test: a control plane, servers of one's own, rules as they are deployed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import proxyless
import pytest
from aiohttp import web

from bookinfo_pb.v1.hop_pb2 import Hop
from bookinfo_pb.v1.ratings_pb2 import GetRatingsRequest, GetRatingsResponse
from bookinfo_pb.v1.ratings_pb2_grpc import RatingsServicer, RatingsStub, add_RatingsServicer_to_server
from lanes.context import current, in_lane
from lanes.http import lane_middleware
from lanes.spec import Lane, MeshSpec, Mode, Service
from mesh import LaneMesh, MeshError, NotFound, NotRunning, Refused

SERVICE = Service("ratings", "v1")
RULES = MeshSpec((SERVICE,), (Lane("dev", {"ratings": "v2"}),))
UNWEIGHTED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
    - route:
        - {destination: {host: ratings, subset: v1}, weight: 120}
        - {destination: {host: ratings, subset: v2}, weight: -20}
"""
OWN_SERVICE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ratings}
spec:
  hosts: [ratings.default.svc.cluster.local]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{number: 7000, name: grpc, protocol: GRPC}]
  workloadSelector: {labels: {app: ratings}}
"""


class Ratings(RatingsServicer):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        self.name = name

    async def GetRatings(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        return GetRatingsResponse(hop=Hop(version=self.name, lane=current().lane_name))


async def ask(mesh: LaneMesh, lane: str | None = None, service: str = "ratings") -> tuple[str, str]:
    """Who answers a call of a lane, and which lane the answer's handler ran in."""
    with in_lane(lane):
        answer = await RatingsStub(mesh.channel(service)).GetRatings(GetRatingsRequest(), timeout=10)
    return answer.hop.version, answer.hop.lane


async def serve(mesh: LaneMesh, *versions: str) -> None:
    for version in versions:
        await mesh.serve("ratings", version, add_RatingsServicer_to_server, Ratings(version))


async def test_lanes_by_a_specification_and_as_they_go(lane_mesh: LaneMesh) -> None:
    async with lane_mesh as mesh:
        await serve(mesh, "v1", "v2")
        await mesh.apply(RULES)
        assert await ask(mesh) == ("v1", "base")
        assert await ask(mesh, "dev") == ("v2", "dev")
        assert await ask(mesh, "qa") == ("v1", "qa")
        report = await mesh.apply(MeshSpec((SERVICE,)))
        assert [client.state for client in report.clients] == ["acknowledged"]
        assert await ask(mesh, "dev") == ("v1", "dev")
        await mesh.delete(MeshSpec((SERVICE,)))
        assert {(await ask(mesh))[0] for _ in range(20)} == {"v1", "v2"}


async def test_rules_from_a_folder_and_a_service_entry_of_ones_own(
    lane_mesh: LaneMesh, tmp_path: Path
) -> None:
    (tmp_path / "service.yaml").write_text(OWN_SERVICE, encoding="utf-8")
    async with lane_mesh as mesh:
        await mesh.apply(tmp_path)
        await serve(mesh, "v1")
        assert await ask(mesh, service="xds:///ratings.default.svc.cluster.local:7000") == ("v1", "base")


async def test_a_rule_that_istio_would_refuse_is_refused_and_changes_nothing(lane_mesh: LaneMesh) -> None:
    async with lane_mesh as mesh:
        await serve(mesh, "v1", "v2")
        await mesh.apply(RULES)
        with pytest.raises(Refused, match=r"text 1:\d+: spec\.http\[0\]\.route\[1\]\.weight"):
            await mesh.apply(UNWEIGHTED)
        assert await ask(mesh, "dev") == ("v2", "dev")


async def test_who_stops_leaves_the_lane_to_base_and_a_strict_one_to_nobody(lane_mesh: LaneMesh) -> None:
    async with lane_mesh as mesh:
        await serve(mesh, "v1")
        v2 = await mesh.serve("ratings", "v2", add_RatingsServicer_to_server, Ratings("v2"))
        strict = Lane("strict", {"ratings": "v2"}, Mode.STRICT)
        await mesh.apply(MeshSpec((SERVICE,), (*RULES.lanes, strict)))
        assert (await ask(mesh, "strict"))[0] == (await ask(mesh, "dev"))[0] == "v2"
        await v2.stop()
        assert await ask(mesh, "dev") == ("v1", "dev")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(mesh, "strict")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        async with grpc.aio.insecure_channel(v2.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await RatingsStub(channel).GetRatings(GetRatingsRequest())
        with pytest.raises(NotFound, match="workloadentry/ratings-v2"):
            await v2.stop()


async def test_a_version_may_be_served_several_times(lane_mesh: LaneMesh) -> None:
    async with lane_mesh as mesh:
        for name in ("a", "b", "c"):
            served = await mesh.serve("ratings", "v1", add_RatingsServicer_to_server, Ratings(name))
        assert {(await ask(mesh))[0] for _ in range(20)} == {"a", "b", "c"}
        await served.stop()
        assert {(await ask(mesh))[0] for _ in range(20)} == {"a", "b"}


async def test_services_over_http(lane_mesh: LaneMesh) -> None:
    def says(version: str) -> web.Application:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(text=f"{version} {current().lane_name}")

        app = web.Application(middlewares=[lane_middleware()])
        app.add_routes([web.get("/who", answer)])
        return app

    async with lane_mesh as mesh:
        for version in ("v1", "v2"):
            served = await mesh.serve_http("delivery", version, says(version))
        await mesh.apply(MeshSpec((Service("delivery", "v1"),), (Lane("dev", {"delivery": "v2"}),)))

        async def who(lane: str | None) -> str:
            with in_lane(lane):
                async with mesh.session.get(mesh.url("delivery", "/who")) as answer:
                    return await answer.text()

        assert [await who("dev"), await who(None)] == ["v2 dev", "v1 base"]
        await served.stop()
        assert await who("dev") == "v1 dev"


async def test_a_server_and_a_client_that_somebody_else_runs(lane_mesh: LaneMesh) -> None:
    server = grpc.aio.server()
    add_RatingsServicer_to_server(Ratings("mine"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with lane_mesh as mesh:
            await mesh.add("ratings", "v1", f"127.0.0.1:{port}")
            bootstrap = proxyless.Bootstrap.from_env(mesh.environment("shop", "v7"))
            assert "shop-v7.default" in bootstrap.node_id
            async with proxyless.Client(bootstrap) as client:
                channel = client.channel("xds:///ratings.default.svc.cluster.local:9080")
                answer = await RatingsStub(channel).GetRatings(GetRatingsRequest(), timeout=10)
            assert answer.hop.version == "mine"
            for address in ("127.0.0.1", "127.0.0.1:http", ":80"):
                with pytest.raises(MeshError, match=r"is no ip:port"):
                    await mesh.add("ratings", "v2", address)
    finally:
        await server.stop(None)


async def test_many_at_once_do_not_meet() -> None:
    async def one(name: str) -> str:
        async with LaneMesh() as mesh:
            await mesh.serve("ratings", "v1", add_RatingsServicer_to_server, Ratings(name))
            return (await ask(mesh))[0]

    names = [f"n{number}" for number in range(8)]
    assert await asyncio.gather(*map(one, names)) == names


async def test_outside_of_it_there_is_nothing_and_it_can_be_entered_anew(lane_mesh: LaneMesh) -> None:
    with pytest.raises(NotRunning, match="async with"):
        await lane_mesh.apply(RULES)
    for _ in range(2):
        async with lane_mesh as mesh:
            await serve(mesh, "v1")
            assert await ask(mesh) == ("v1", "base")
            session = mesh.session
            with pytest.raises(MeshError, match="entered already"):
                await mesh.__aenter__()
            assert await ask(mesh) == ("v1", "base")
        assert session.closed
        for use in (lambda: mesh.client, lambda: mesh.channel("ratings"), lambda: mesh.environment("shop")):
            with pytest.raises(NotRunning):
                use()
