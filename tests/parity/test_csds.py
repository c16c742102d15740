"""The status of a client as CSDS tells it (gRFC A40): gRPC's own servicer beside ours, over one world."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import proxyless
import pytest
import pytest_asyncio
from envoy.service.status.v3.csds_pb2 import ClientStatusRequest
from envoy.service.status.v3.csds_pb2_grpc import ClientStatusDiscoveryServiceStub
from envoy.type.matcher.v3.node_pb2 import NodeMatcher
from grpc import aio
from proxyless.csds import add_csds_servicer

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.parity.cases import METHOD
from tests.parity.conftest import Ours, Theirs, both
from tests.parity.grpc_driver import resources_of

SERVED, REFUSED, GONE, AFTER = "served:1", "refused:1", "gone:1", "after:1"


@pytest_asyncio.fixture
async def clients() -> AsyncIterator[tuple[Ours, Theirs]]:
    """Two clients that have seen good, refused, deleted and unknown resources."""
    async with FakeControlPlane() as plane, Backend("there") as backend, both(plane.address) as clients:
        for name in (SERVED, REFUSED, GONE):
            plane.set(*build.service(name, {name: [backend.address]}, [build.route(name)]))
        for client in clients:
            for name in (SERVED, REFUSED, GONE):
                assert await client.call(f"xds:///{name}", METHOD, ()) == ["there"]
        plane.set(build.Cluster(name=REFUSED))
        plane.remove(build.cluster(GONE))
        plane.set(*build.service(AFTER, {AFTER: [backend.address]}, [build.route(AFTER)]))
        for client in clients:  # what came before is taken in once what came after can be called
            assert await client.call(f"xds:///{AFTER}", METHOD, ()) == ["there"]
        yield clients


@asynccontextmanager
async def status_of(mesh: proxyless.Client) -> AsyncIterator[ClientStatusDiscoveryServiceStub]:
    """A stub of the service, on a server of its own."""
    server = aio.server()
    add_csds_servicer(server, mesh)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield ClientStatusDiscoveryServiceStub(channel)  # type: ignore[no-untyped-call]
    finally:
        await server.stop(None)


async def test_the_same_is_said_of_every_resource(clients: tuple[Ours, Theirs]) -> None:
    ours, theirs = clients
    async with status_of(ours.mesh) as stub:
        said = resources_of(await stub.FetchClientStatus(ClientStatusRequest()))
    assert [json.loads(line) for line in said] == [json.loads(line) for line in await theirs.status()]
    states = {entry["status"] for entry in map(json.loads, said)}
    assert states == {"ACKED", "NACKED", "DOES_NOT_EXIST"}


async def test_a_stream_is_answered_request_by_request(clients: tuple[Ours, Theirs]) -> None:
    ours, _ = clients
    async with status_of(ours.mesh) as stub:
        whole = await stub.FetchClientStatus(ClientStatusRequest())
        requests = [ClientStatusRequest(), ClientStatusRequest(exclude_resource_contents=True)]
        first, bare = [answer async for answer in stub.StreamClientStatus(iter(requests))]
    (config,) = whole.config
    assert config.node.id == ours.mesh.bootstrap.node_id
    assert resources_of(first) == resources_of(whole)
    entries = bare.config[0].generic_xds_configs
    assert len(entries) == len(config.generic_xds_configs)
    assert not any(entry.HasField("xds_config") for entry in entries)


async def test_a_refusal_says_what_when_and_why(clients: tuple[Ours, Theirs]) -> None:
    ours, _ = clients
    async with status_of(ours.mesh) as stub:
        (config,) = (await stub.FetchClientStatus(ClientStatusRequest())).config
    (refused,) = (
        entry
        for entry in config.generic_xds_configs
        if entry.name == REFUSED and entry.type_url.endswith("Cluster")
    )
    state = refused.error_state
    assert "STATIC is not supported" in state.details
    assert int(state.version_info) > int(refused.version_info)
    assert state.last_update_attempt.ToNanoseconds() >= refused.last_updated.ToNanoseconds() > 0


async def test_a_node_matcher_has_nothing_to_match(clients: tuple[Ours, Theirs]) -> None:
    ours, _ = clients
    async with status_of(ours.mesh) as stub:
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.FetchClientStatus(ClientStatusRequest(node_matchers=[NodeMatcher()]))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
