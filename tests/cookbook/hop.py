"""What the recipes run against: `ratings` in two versions, of which the lane `dev` has the second."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from bookinfo_pb.v1.hop_pb2 import Hop
from bookinfo_pb.v1.ratings_pb2 import GetRatingsResponse
from bookinfo_pb.v1.ratings_pb2_grpc import RatingsServicer, add_RatingsServicer_to_server
from lanes.spec import Lane, MeshSpec, Service
from mesh.addresses import Address, free_port
from mesh.guests import until_called
from mesh.testing import LaneMesh

RULES = MeshSpec((Service("ratings", "v1"),), (Lane("dev", {"ratings": "v2"}),))
BAGGAGE = "user=7,env=dev;ttl=1"

Asked = tuple[str, str | None]
"""Who was asked, and with what baggage."""


class Ratings(RatingsServicer):  # type: ignore[misc]
    """A real server that says which version it is, and tells of each call."""

    def __init__(self, version: str, asked: asyncio.Queue[Asked]) -> None:
        self.version, self.asked = version, asked

    async def GetRatings(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        sent = dict(context.invocation_metadata() or ())
        self.asked.put_nowait((self.version, sent.get("baggage")))
        return GetRatingsResponse(ratings={"r": 5}, hop=Hop(service="ratings", version=self.version))


@asynccontextmanager
async def ratings() -> AsyncIterator[tuple[LaneMesh, asyncio.Queue[Asked]]]:
    """The mesh with both versions, and every call that they get."""
    asked: asyncio.Queue[Asked] = asyncio.Queue()
    async with LaneMesh() as mesh:
        for version in ("v1", "v2"):
            servicer = Ratings(version, asked)
            await mesh.serve("ratings", version, add_RatingsServicer_to_server, servicer, interceptors=[])
        await mesh.apply(RULES)
        yield mesh, asked


def environment(mesh: LaneMesh, **more: str) -> dict[str, str]:
    """What a program finds in its environment after `mesh env`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GRPC_XDS", "OTEL_"))}
    own = {"GRPC_VERBOSITY": "NONE", "PYTHONWARNINGS": "error", "NO_PROXY": "127.0.0.1"}
    return {**kept, **own, **mesh.environment("shop"), **more}


@asynccontextmanager
async def started(program: str, mesh: LaneMesh, folder: Path, **more: str) -> AsyncIterator[Process]:
    """The program as a process of its own, saved to a file as its reader would."""
    file = folder / "shop.py"
    file.write_text(program, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(file), cwd=folder, stdout=PIPE, stderr=PIPE, env=environment(mesh, **more)
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def printed(program: str, mesh: LaneMesh, folder: Path, **more: str) -> str:
    """What a program prints that ends by itself."""
    async with started(program, mesh, folder, **more) as process:
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()


@asynccontextmanager
async def serving(program: str, mesh: LaneMesh, folder: Path, **more: str) -> AsyncIterator[str]:
    """A program that serves: its `ip:port`, once somebody listens there."""
    address = Address("127.0.0.1", free_port())
    async with started(program, mesh, folder, PORT=str(address.port), **more) as process:
        listening, ended = asyncio.create_task(until_called(address)), asyncio.create_task(process.wait())
        await asyncio.wait((listening, ended), return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if ended.done():
            raise AssertionError((await process.communicate())[1].decode())
        yield str(address)
        process.terminate()
        await ended
