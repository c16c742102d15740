"""The chart's rules on the one-machine mesh: the lane matrix, `helm test` itself, and the probes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import aiohttp
import grpc
import pytest
import pytest_asyncio
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh import Mesh
from mesh.walkthrough.door import Door
from tests.chart.rendering import Object, Rendering, read_values, render
from tests.lane_matrix import MATRIX, SHAPES, baggage_of, check

pytestmark = pytest.mark.asyncio(loop_scope="module")

# As `helm template --namespace default` gives it.
CHART = render(read_values("lane-matrix"), namespace="default")


def rules_of(rendering: Rendering) -> str:
    return yaml.safe_dump_all(rendering.of("DestinationRule", "VirtualService"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("chart") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0) as running:
        report = await running.apply(rules_of(CHART))
        assert report.ok, report.lines()
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def door(mesh: Mesh) -> AsyncIterator[Door]:
    async with Door(mesh.url) as door:
        yield door


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lane", MATRIX)
async def test_the_matrix(door: Door, lane: str, shape: str) -> None:
    for visit in await door.visits(4, baggage_of(lane, shape)):
        check(visit, lane)


# -- helm test


async def run_helm_test(rendering: Rendering, url: str, patience: str) -> tuple[int, str]:
    """What the Pod of `helm test` runs, with the mesh's own door in place of the cluster's."""
    [pod] = rendering.of("Pod")
    [container] = pod["spec"]["containers"]
    python, option, program, _, expected = container["command"]
    assert (python, option) == ("python", "-c")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", program, url, expected.replace("$$", "$"), patience),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_helm_test_proves_every_lane(mesh: Mesh) -> None:
    code, said = await run_helm_test(CHART, mesh.url, "20")
    assert code == 0, said
    assert said.splitlines() == [
        "base: as it should be: details v1, ratings v1, reviews v3",
        "dev: as it should be: details v1, ratings v2, reviews v2",
        "empty: as it should be: details v1, ratings v1, reviews v3",
        "plain: as it should be: details v1, ratings v1, reviews v1",
        "qa: as it should be: details v2, ratings v2, reviews v3",
        "strict: as it should be: details refused, ratings refused, reviews v2",
    ]


PLAIN = {"services": {"reviews": "v1"}}
SHOP = {"protocol": "grpc", "base": "v1", "versions": {"v1": {}}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lanes": {"demo": None, "plain": {}}}, "plain: reviews was served by v1 and not by v3"),
        (
            {"lanes": {"demo": None, "plain": {**PLAIN, "mode": "strict"}}},
            "plain: details was served by v1 and not refused",
        ),
        ({"lanes": {"demo": None, "strict": PLAIN}}, "strict: ratings failed: "),
        (
            {"door": {"trustBaggage": False, "laneHeader": "x-lane"}},
            "dev: productpage took a request with x-lane: dev for the lane base",
        ),
    ],
)
async def test_helm_test_says_what_is_not_as_the_values_have_it(
    mesh: Mesh, values: Object, said: str
) -> None:
    code, told = await run_helm_test(render(read_values("lane-matrix") | values), mesh.url, "0")
    assert code == 1
    assert any(line.startswith(said) for line in told.splitlines()), told


async def test_helm_test_leaves_out_what_productpage_does_not_call(mesh: Mesh) -> None:
    values = read_values("lane-matrix")
    rendering = render({**values, "services": {**values["services"], "shop": SHOP}})
    code, told = await run_helm_test(rendering, mesh.url, "0")
    assert code == 0, told
    assert told.splitlines()[0].endswith("reviews v3, shop not on the way")


async def test_helm_test_says_when_nobody_answers() -> None:
    code, told = await run_helm_test(CHART, "http://127.0.0.1:9", "0")
    assert code == 1
    assert told.startswith("base: http://127.0.0.1:9/api/v1/products/0 cannot be asked: ")


# -- probes


async def test_every_probe_is_answered(mesh: Mesh) -> None:
    status = await mesh.status()
    probed = set()
    for deployment in CHART.versions():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        labels = deployment["metadata"]["labels"]
        instance = f"{labels['app']}/{labels['version']}"
        address, admin = status.process(instance).address, status.process(instance).admin
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container[kind]
            if "grpc" in probe:
                async with grpc.aio.insecure_channel(address) as channel:
                    request = health_pb2.HealthCheckRequest(service=probe["grpc"].get("service", ""))
                    answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
                probed.add("grpc")
            else:
                at = admin if probe["httpGet"]["port"] == "admin" else address
                url = f"http://{at}{probe['httpGet']['path']}"
                async with aiohttp.ClientSession() as session, session.get(url) as response:
                    assert response.status == 200
                probed.add(probe["httpGet"]["path"])
    assert probed == {"grpc", "/health", "/readyz"}
