"""`xds/README.md` is right: its five lines, taken from the page as they stand, lead a call into a lane."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from bookinfo_pb.v1.hop_pb2 import Hop
from bookinfo_pb.v1.reviews_pb2 import GetReviewsResponse
from bookinfo_pb.v1.reviews_pb2_grpc import ReviewsServicer, add_ReviewsServicer_to_server
from controlplane.app import ControlPlane

ROOT = Path(__file__).parents[2]
README = (ROOT / "xds" / "README.md").read_text(encoding="utf-8")
HOST = "reviews.default.svc.cluster.local"


def block(language: str) -> str:
    """The first fenced block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def side(sign: str) -> str:
    """One side of the diff: `-` is what there was, `+` what there is."""
    lines = block("diff").splitlines(keepends=True)
    return "".join(line[1:] for line in lines if line[0] in (" ", sign))


class Reviews(ReviewsServicer):  # type: ignore[misc]
    """A real server that says which version it is, and keeps the baggage of each call."""

    def __init__(self, version: str, ip: str) -> None:
        self.version = version
        self.baggage: list[Any] = []
        self.server = grpc.aio.server()
        add_ReviewsServicer_to_server(self, self.server)
        self.ip, self.port = ip, self.server.add_insecure_port(f"{ip}:0")

    async def GetReviews(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        self.baggage.append(dict(context.invocation_metadata() or ()).get("baggage"))
        return GetReviewsResponse(product_id=request.product_id, hop=Hop(version=self.version))

    def workload(self) -> str:
        """The WorkloadEntry of this server."""
        return (
            "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\n"
            f"metadata: {{name: reviews-{self.version}}}\n"
            f"spec: {{address: {self.ip}, ports: {{grpc: {self.port}}},"
            f" labels: {{app: reviews, version: {self.version}}}}}\n"
        )


SERVICE = f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: reviews}}
spec:
  hosts: [{HOST}]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{{number: 9080, name: grpc, protocol: GRPC}}]
  workloadSelector: {{labels: {{app: reviews}}}}
"""


@asynccontextmanager
async def mesh(folder: Path) -> AsyncIterator[tuple[int, Reviews, Reviews]]:
    """The page's rules, in force over two real servers: the control plane's port, and those."""
    v1, v2 = Reviews("v1", "127.0.33.1"), Reviews("v2", "127.0.33.2")
    (folder / "services.yaml").write_text(SERVICE + v1.workload() + v2.workload(), encoding="utf-8")
    (folder / "rules.yaml").write_text(block("yaml"), encoding="utf-8")
    await v1.server.start()
    await v2.server.start()
    try:
        async with ControlPlane(folder, port=0, admin_port=0) as plane:
            yield plane.port, v1, v2
    finally:
        await v1.server.stop(None)
        await v2.server.stop(None)


async def run(program: str, port: int) -> str:
    """What a process prints that runs the program, as a user's would."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GRPC_XDS_BOOTSTRAP")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**kept, "XDS_ADDRESS": f"127.0.0.1:{port}", "GRPC_VERBOSITY": "NONE"},
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().strip()


async def test_five_lines_lead_into_a_lane(tmp_path: Path) -> None:
    before, after = side("-"), side("+")
    async with mesh(tmp_path) as (port, v1, v2):
        assert await run(before.replace(f"{HOST}:9080", f"{v1.ip}:{v1.port}"), port) == "v1"
        assert await run(after, port) == "v2"
        assert (v1.baggage, v2.baggage) == ([None], ["env=dev"])
        assert await run(after.replace("env=dev", "user=7,env=dev;ttl=1"), port) == "v2"
        assert await run(after.replace("env=dev", "env=dev2"), port) == "v1"
        await v2.server.stop(None)
        assert await run(after, port) == "v1"  # the lane is permissive


def test_it_is_five_lines_and_the_rest_stays() -> None:
    assert sum(line.startswith("+") for line in block("diff").splitlines()) == 5
