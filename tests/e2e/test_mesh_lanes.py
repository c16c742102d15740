"""Lanes over real processes: one matrix is the only truth, and the hops of every answer prove it."""

import asyncio
import os
import random
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import proxyless
import pytest
import pytest_asyncio

from bookinfo_pb.v1 import reviews_pb2
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsStub
from mesh import Mesh
from mesh.walkthrough.door import Door
from mesh.walkthrough.rules import as_yaml
from tests.lane_matrix import MATRIX, SHAPES, SPEC, baggage_of, check

# A stock Istiod in the embedded control plane's place: `make test-istiod`.
ISTIOD = os.environ.get("ISTIOD")
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("lanes") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0, istiod=ISTIOD) as running:
        report = await running.apply(as_yaml(SPEC))
        assert report.ok, report.lines()
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def door(mesh: Mesh) -> AsyncIterator[Door]:
    async with Door(mesh.url) as door:
        yield door


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lane", MATRIX)
async def test_the_matrix(door: Door, lane: str, shape: str) -> None:
    for visit in await door.visits(4, baggage_of(lane, shape)):
        check(visit, lane)


async def test_a_strict_lane_says_which_lane_refused(door: Door) -> None:
    visit = await door.visit("env=strict")
    assert len(visit.errors) == 2
    assert all("UNAVAILABLE" in error and "lane-strict" in error for error in visit.errors)


async def test_500_requests_in_flight_and_none_crosses_lanes(door: Door) -> None:
    chance = random.Random(1)
    lanes = [chance.choice(list(MATRIX)) for _ in range(500)]
    colours = [baggage_of(lane, chance.choice(SHAPES)) for lane in lanes]
    visits = await asyncio.gather(*(door.visit(colour) for colour in colours))
    assert len(Counter(lanes)) == len(MATRIX)
    for lane, visit in zip(lanes, visits, strict=True):
        check(visit, lane)


async def test_the_example_of_the_readme_runs_as_it_stands(mesh: Mesh) -> None:
    [example] = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", example),
        env={**os.environ, **await mesh.environment("my-client")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert await process.communicate() == (b"v2\n", b"")


@pytest.mark.parametrize("lane", ["base", "dev", "qa", "plain"])
async def test_a_stream_keeps_its_lane(mesh: Mesh, lane: str) -> None:
    bootstrap = proxyless.Bootstrap.from_env(await mesh.environment("streaming", "v1"))
    metadata = [] if lane == "base" else [("baggage", f"env={lane}")]
    async with proxyless.Client(bootstrap, fallback="next-route") as client:
        channel = client.channel("xds:///reviews.default.svc.cluster.local:9080")
        call = ReviewsStub(channel).WatchReviews(metadata=metadata, timeout=20)
        for product in (0, 1, 2, 3, 4):
            await call.write(reviews_pb2.GetReviewsRequest(product_id=product))
            answer = await call.read()
            assert answer.product_id == product
            assert answer.hop.version == MATRIX[lane]["reviews"]
            assert [below.version for below in answer.hop.calls] == [MATRIX[lane]["ratings"]] * bool(
                MATRIX[lane]["ratings"]
            )
        await call.done_writing()
        await channel.close()


async def test_a_lane_whose_version_dies_is_served_by_base_until_it_is_back(mesh: Mesh, door: Door) -> None:
    async def serves(version: str) -> None:
        async with asyncio.timeout(30):
            while (await door.visit("env=dev")).versions.get("reviews") != version:
                continue

    await mesh.kill("reviews/v2")
    await serves("v3")
    for visit in await door.visits(10, "env=dev"):
        assert visit.ok, visit.errors
        assert visit.versions["reviews"] == "v3"
        assert visit.versions["ratings"] == "v2"  # back in the lane behind the service it lost
    await mesh.start("reviews/v2")
    await serves("v2")
    for visit in await door.visits(10, "env=dev"):
        check(visit, "dev")
