"""The lane matrix over what a stock Istiod was recorded to send: real services, their rules Istiod's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from mesh.walkthrough.door import Door
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.processes import running
from tests.istiod import records, resources
from tests.istiod.cases import lane_matrix
from tests.lane_matrix import MATRIX, SHAPES, baggage_of, check

# Where the recorded world has its workloads.
WORKLOADS = {
    "127.0.1.1": ("reviews", "v1"),
    "127.0.1.2": ("reviews", "v2"),
    "127.0.1.3": ("reviews", "v3"),
    "127.0.2.1": ("ratings", "v1"),
    "127.0.2.2": ("ratings", "v2"),
    "127.0.3.1": ("details", "v1"),
    "127.0.3.2": ("details", "v2"),
}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door() -> AsyncIterator[Door]:
    case = lane_matrix()
    record = records.read(case)
    assert record.digest == case.digest, "make record-istiod ISTIOD=path/to/pilot-discovery"
    async with AsyncExitStack() as stack:
        replay = await stack.enter_async_context(FakeControlPlane())

        async def start(service: str, version: str, ip: str) -> str:
            environment = {
                "XDS_ADDRESS": replay.address,
                "SERVICE_VERSION": version,
                "INSTANCE_IP": ip,
                "POD_NAME": f"{service}-{version}",
                "TRUST_BAGGAGE": "true",
            }
            _, address = await stack.enter_async_context(running(service, **environment))
            return address

        starts = [start(service, version, ip) for ip, (service, version) in WORKLOADS.items()]
        *places, page = await asyncio.gather(*starts, start("productpage", "v1", "127.0.4.1"))
        content = record.clients[case.identities[0].name]
        _move(content, dict(zip(WORKLOADS, places, strict=True)))
        replay.set(*resources.messages(content))
        yield await stack.enter_async_context(Door(f"http://{page}"))
        assert not replay.nacks


def _move(content: resources.Resources, places: dict[str, str]) -> None:
    """Put where each workload listens today in the place of its recorded address."""
    for assignment in content["EDS"].values():
        for locality in assignment.get("endpoints", ()):
            for each in locality["lb_endpoints"]:
                socket: dict[str, Any] = each["endpoint"]["address"]["socket_address"]
                socket["address"], _, port = places[socket["address"]].rpartition(":")
                socket["port_value"] = int(port)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lane", MATRIX)
async def test_the_matrix(door: Door, lane: str, shape: str) -> None:
    for visit in await door.visits(4, baggage_of(lane, shape)):
        check(visit, lane)
