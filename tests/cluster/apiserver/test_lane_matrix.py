"""The lane matrix on real Pods and EndpointSlices, served by a stock Istiod: by chart and by command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from mesh.walkthrough.door import Door
from tests.cluster.apiserver import installation
from tests.cluster.apiserver.conftest import Bookinfo
from tests.cluster.apiserver.settings import KUBECONFIG
from tests.fakes.lanes_command import Command
from tests.lane_matrix import MATRIX, SHAPES, SPEC, baggage_of, check

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["chart", "command"])
async def lanes_by(
    request: pytest.FixtureRequest, bookinfo: Bookinfo, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[None]:
    """The matrix's lanes, and everybody told of them."""
    folder = tmp_path_factory.mktemp("matrix")
    async with charted(bookinfo) if request.param == "chart" else created(bookinfo, folder):
        async with Door(bookinfo.url) as door:
            await followed(door)
        yield


@asynccontextmanager
async def charted(bookinfo: Bookinfo) -> AsyncIterator[None]:
    """The rules that the chart renders for the matrix's values."""
    values = yaml.safe_load((installation.CHART / "ci" / "lane-matrix-values.yaml").read_text())
    kinds = ("VirtualService", "DestinationRule")
    there = [each for each in installation.rendered(bookinfo.namespace) if each["kind"] in kinds]
    wanted = [each for each in installation.rendered(bookinfo.namespace, values) if each["kind"] in kinds]
    await installation.install(bookinfo.server, wanted)
    yield
    await installation.install(bookinfo.server, there)


@asynccontextmanager
async def created(bookinfo: Bookinfo, folder: Path) -> AsyncIterator[None]:
    """The same lanes by `lanes create`; one that holds nothing is none."""
    command = Command(folder, KUBECONFIG=KUBECONFIG, LANES_NAMESPACE=bookinfo.namespace)
    held = [lane for lane in SPEC.lanes if lane.versions]
    for lane in held:
        words = [word for pair in lane.versions.items() for word in ("--service", "=".join(pair))]
        await command.ok("create", lane.name, *words, "--mode", str(lane.mode))
    yield
    for lane in held:
        await command.ok("delete", lane.name)


async def followed(door: Door) -> None:
    """Wait until every lane is served as it is to be: Istiod pushes 100 ms after the last change."""
    async with asyncio.timeout(10):
        for lane in MATRIX:
            while True:
                try:
                    check(await door.visit(baggage_of(lane, SHAPES[0])), lane)
                    break
                except AssertionError:
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize("lane", MATRIX)
async def test_the_matrix(lanes_by: None, door: Door, lane: str) -> None:
    for shape in SHAPES:
        for visit in await door.visits(4, baggage_of(lane, shape)):
            check(visit, lane)
