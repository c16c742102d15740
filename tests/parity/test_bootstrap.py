"""A bootstrap that names no node: gRPC's own client is content with it, and so is ours."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import proxyless
import pytest

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.parity import grpc_driver
from tests.parity.cases import METHOD

NAME = "reviews:9080"


@pytest.mark.parametrize("node", [{}, {"node": {}}, {"node": {"cluster": "c"}}], ids=str)
async def test_a_node_without_an_id(node: dict[str, Any]) -> None:
    async with FakeControlPlane() as plane, Backend("v1") as backend:
        plane.set(*build.service(NAME, {"v1": [backend.address]}, [build.route("v1")]))
        server = {"server_uri": plane.address, "channel_creds": [{"type": "insecure"}]}
        bootstrap = json.dumps({"xds_servers": [server], **node})
        async with proxyless.Client(proxyless.Bootstrap.from_json(bootstrap)) as mesh:
            ours = await grpc_driver.call(mesh.channel(f"xds:///{NAME}"), METHOD, ())
        assert (ours, await theirs(bootstrap)) == ("v1", "v1")


async def theirs(bootstrap: str) -> str:
    """What a call by gRPC's client comes to."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(Path(grpc_driver.__file__))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**environ, "GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap},
    )
    order = {"id": 0, "target": f"xds:///{NAME}", "method": METHOD, "metadata": [], "n": 1}
    out, _ = await process.communicate(json.dumps(order).encode() + b"\n")
    (result,) = json.loads(out)["results"]
    return str(result)
