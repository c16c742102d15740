"""Where gRPC's own client leaves its users waiting, and ours beside it: one control plane, the same calls.

What would take gRPC's client 15 seconds is cut short by a deadline. Ours has one of less than 15 seconds too,
but a longer one, for machines that are busy with other things. That matching headers is linear there, and
here by an index, has no outcome but a cost: what is compared is by how much each one's own grows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import proxyless
import pytest
from google.protobuf.any_pb2 import Any as AnyProto

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.parity.cases import METHOD
from tests.parity.conftest import Ours, Theirs, bootstrap, grpc_s

NAME = "reviews:9080"
TARGET = f"xds:///{NAME}"
CUT_SHORT, DEADLINE = 2.0, 12.0
"""Seconds; gRPC's client waits 15 for what it believes to be on its way (gRFC A57)."""
DEFAULT_LIMIT = 4 * 1024 * 1024
"""Bytes of a message that a gRPC client takes unless it is told otherwise."""


class Notes(proxyless.Observer):
    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def field_unsupported(self, kind: Any, name: str, note: str) -> None:
        self.notes.append((name, note))


@dataclass
class Scene:
    """A control plane, two backends, and both clients."""

    plane: FakeControlPlane
    v1: Backend
    v2: Backend
    theirs: Theirs
    ours: Ours
    notes: Notes = field(default_factory=Notes)

    def serve(self, *routes: Any) -> None:
        """The two clusters, and these routes to them."""
        backends = {"v1": [self.v1.address], "v2": [self.v2.address]}
        self.plane.set(*build.service(NAME, backends, routes))

    async def call(
        self, *metadata: tuple[str, str | bytes], target: str = TARGET, cut_short: bool = False
    ) -> tuple[str, str]:
        """What becomes of one call of theirs, cut short or not, and one of ours, made at the same time."""
        theirs, ours = await asyncio.gather(
            self.theirs.call(target, METHOD, metadata, timeout=CUT_SHORT if cut_short else DEADLINE),
            self.ours.call(target, METHOD, metadata, timeout=DEADLINE),
        )
        return theirs[0], ours[0]

    async def acked(self, node: str, type_url: str) -> None:
        """Wait until a client has taken the last response of a type."""

        def taken() -> bool:
            return any(
                request.response_nonce == stream.nonces.get(type_url) and not request.HasField("error_detail")
                for stream in self.plane.streams
                if stream.requests and stream.requests[0].node.id == node
                for request in stream.requests
                if request.type_url == type_url
            )

        await self.plane.until(taken)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    notes = Notes()
    async with FakeControlPlane() as plane, Backend("v1") as v1, Backend("v2") as v2:
        config = proxyless.Bootstrap.from_json(bootstrap("proxyless", plane.address))
        async with (
            grpc_s(bootstrap("grpc", plane.address)) as theirs,
            proxyless.Client(config, observer=notes) as mesh,
        ):
            yield Scene(plane, v1, v2, theirs, Ours(mesh), notes)


LANE = ("env", "dev")
_LANE = r"(?:[^,]*,)*[ \t]*env[ \t]*=[ \t]*lane{}[ \t]*(?:;[^,]*)?(?:,[^,]*)*"
"""As `lanes.render` writes it."""
IN_LANE = [build.header("env", exact_match="dev")]


async def test_a_route_to_a_missing_cluster_holds_up_no_other_route(scene: Scene) -> None:
    scene.serve(build.route("v1"))
    assert await scene.call() == ("v1", "v1")
    scene.serve(build.route("missing", headers=IN_LANE), build.route("v2"))
    for client in ("grpc", "proxyless"):
        await scene.acked(client, build.RDS)
        await scene.plane.until(lambda: all("missing" in s.names[build.CDS] for s in scene.plane.streams))
        await scene.acked(client, build.CDS)
    theirs, ours = await scene.call()
    assert (theirs, ours) == ("v1", "v2")  # there, the old table; here, the new one
    theirs, ours = await scene.call(LANE)
    assert theirs == "v1"  # where the rules in force there send it
    assert ours == "UNAVAILABLE: " + ours.partition(": ")[2]
    assert "CDS resource 'missing' does not exist in the control plane" in ours


async def test_a_first_table_with_a_missing_cluster_serves_the_others(scene: Scene) -> None:
    scene.serve(build.route("missing", headers=IN_LANE), build.route("v2"))
    theirs, ours = await scene.call(cut_short=True)
    assert theirs.startswith("DEADLINE_EXCEEDED")
    assert ours == "v2"


async def test_a_name_that_does_not_exist_is_not_waited_for(scene: Scene) -> None:
    theirs, ours = await scene.call(target="xds:///nobody:9080", cut_short=True)
    assert theirs.startswith("DEADLINE_EXCEEDED")
    assert ours.startswith("UNAVAILABLE")
    assert "LDS resource 'nobody:9080' does not exist in the control plane" in ours


async def test_a_first_resource_that_cannot_be_decoded_fails_with_the_reason(scene: Scene) -> None:
    scene.plane.automatic = False
    calls = asyncio.create_task(scene.call(cut_short=True))
    await scene.plane.until(lambda: sum(build.LDS in each.names for each in scene.plane.streams) == 2)
    for stream in scene.plane.streams:
        stream.send(build.LDS, [AnyProto(type_url=build.LDS, value=b"\xff")])
    theirs, ours = await calls
    assert theirs.startswith("DEADLINE_EXCEEDED")
    assert ours.startswith("UNAVAILABLE")
    assert "cannot be decoded as envoy.config.listener.v3.Listener" in ours
    await scene.plane.until(lambda: len(scene.plane.nacks) == 2)  # they refuse it alike


async def test_a_large_response_does_not_end_the_stream(scene: Scene) -> None:
    routes = build.route_config(NAME, [build.route("v1")])
    routes.virtual_hosts[0].routes[0].metadata.filter_metadata["large"]["text"] = "x" * (DEFAULT_LIMIT + 1)
    scene.serve(build.route("v1"))
    scene.plane.set(routes)
    theirs, ours = await scene.call(cut_short=True)
    assert ours == "v1"
    assert theirs.partition(":")[0] in ("UNAVAILABLE", "DEADLINE_EXCEEDED"), theirs
    assert "proxyless" in {stream.requests[0].node.id for stream in scene.plane.streams}
    assert scene.plane.nodes.count("proxyless") == 1  # the first of its streams is the only one
    await scene.plane.until(lambda: scene.plane.nodes.count("grpc") > 1)  # there, it ends with each answer


async def test_a_field_without_effect_is_said_once(scene: Scene) -> None:
    route = build.route("v1")
    route["route"]["prefix_rewrite"] = "/other"
    scene.serve(route)
    assert await scene.call() == ("v1", "v1")
    scene.plane.set(build.route_config(NAME, [route, build.route("v2")]))
    while not any("prefix_rewrite" in note for _, note in scene.notes.notes):
        await scene.call()
    for client in ("grpc", "proxyless"):
        await scene.acked(client, build.RDS)
    assert scene.notes.notes == [
        (NAME, "virtual_hosts[0].routes[0].route.prefix_rewrite: has no effect on gRPC calls")
    ]
    assert b"prefix_rewrite" not in scene.theirs.said
    assert not scene.plane.nacks


async def test_a_call_costs_no_more_among_thousands_of_lanes(scene: Scene) -> None:
    tables = {"few:9080": 10, "many:9080": 10_000}
    for name, lanes in tables.items():
        routes = [build.route("v2", headers=[build.header("baggage", safe_regex_match={"regex": lane})])
                  for lane in map(_LANE.format, range(lanes))]  # fmt: skip
        backends = {"v1": [scene.v1.address], "v2": [scene.v2.address]}
        scene.plane.set(*build.service(name, backends, [*routes, build.route("v1")]))

    async def least(client: Theirs | Ours, name: str) -> float:
        """Seconds that the fastest of many calls of the last lane took."""
        lane = [("baggage", f"user=7,env=lane{tables[name] - 1}")]
        taken = []
        for _ in range(100):
            began = time.perf_counter()
            assert await client.call(f"xds:///{name}", METHOD, lane, timeout=DEADLINE) == ["v2"]
            taken.append(time.perf_counter() - began)
        return min(taken)

    theirs, ours = [
        await least(client, "many:9080") / await least(client, "few:9080")
        for client in (scene.theirs, scene.ours)
    ]
    assert ours < theirs, f"ours takes {ours:.1f} times as long, gRPC's {theirs:.1f} times"
