"""A mesh for the length of a test: control plane, servers of one's own, and a client, all in one loop.

```python
async with LaneMesh() as mesh:
    await mesh.serve("ratings", "v1", add_RatingsServicer_to_server, Ratings("v1"))
    await mesh.serve("ratings", "v2", add_RatingsServicer_to_server, Ratings("v2"))
    await mesh.apply(rules)  # Istio YAML, the path of some, or a `lanes.spec.MeshSpec`
    with in_lane("dev"):
        await RatingsStub(mesh.channel("ratings")).GetRatings(request)
```

Nothing of it has a port or a folder that is fixed, so any number of tests may run at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import grpc
import proxyless
import proxyless.http
from aiohttp import web

from controlplane.app import ControlPlane
from lanes import grpc_client
from lanes.grpc_server import LaneServerInterceptor
from lanes.http import lane_client_middleware
from lanes.render import render
from lanes.spec import MeshSpec
from mesh.addresses import LOOPBACK, Address
from mesh.admin import Admin
from mesh.environment import member
from mesh.errors import MeshError, NotRunning
from mesh.inventory import SERVICE_PORT, Instance, Service
from mesh.objects import MeshObject, Ref, dump_yaml, read_object
from mesh.report import Report
from mesh.rulebook import RuleBook
from mesh.sources import as_files, objects_in
from mesh.store import Store
from mesh.workloads import hosts_defined, service_entry, workload_entry

TIMEOUT = 10.0
"""Seconds that a change may take until every client of the mesh has answered to it."""

Rules = str | Path | MeshSpec
Servicer = Any
Add = Callable[[Servicer, grpc.aio.Server], None]
"""What grpc generates for each service, `add_RatingsServicer_to_server`."""

_OUTSIDE = "The mesh of this test has not been entered, or was left: `async with lane_mesh as mesh`."


async def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Served:
    """A server that is a version of a service."""

    service: str
    version: str
    address: str
    """`ip:port`."""
    stop: Callable[[], Awaitable[None]] = field(repr=False)
    """Take it out of the mesh, wait until every client knows, and end it, with the calls it still serves."""


class LaneMesh:
    """A mesh of one test, as an async context manager; leaving it ends all that was started in it.

    As long as no rules say otherwise, calls go to any version. Every change returns when each client of the
    mesh has taken it. Raises MeshError: `mesh.Refused` says which rule cannot be used.

    All servers share 127.0.0.1, so rules about who calls (`sourceLabels`) cannot tell them apart.
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._plane: ControlPlane | None = None
        self._rules_or_none: RuleBook | None = None
        self._client: proxyless.Client | None = None
        self._session: aiohttp.ClientSession | None = None
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def __aenter__(self) -> Self:
        if self._plane is not None:
            raise MeshError("This mesh has been entered already.")
        try:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lane-mesh-")))
            self._plane = await self._stack.enter_async_context(ControlPlane(folder, port=0, admin_port=0))
            admin = Admin(f"http://{LOOPBACK}:{self._plane.admin_port}")
            self._stack.push_async_callback(admin.close)
            self._rules_or_none = RuleBook(Store(folder), admin)
            bootstrap = proxyless.Bootstrap.from_env(self.environment("test"))
            client = proxyless.Client(bootstrap, fallback="next-route")
            self._client = await self._stack.enter_async_context(client)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self._plane = self._rules_or_none = self._client = self._session = None
        self._channels = {}
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    # -- who serves

    async def serve(
        self,
        service: str,
        version: str,
        add: Add,
        servicer: Servicer,
        *,
        interceptors: Sequence[grpc.aio.ServerInterceptor] | None = None,
    ) -> Served:
        """Serve a servicer as this version of a service, in this loop.

        `interceptors` take the place of the one that has handlers run in the lane of their call.
        """
        chosen = [LaneServerInterceptor()] if interceptors is None else interceptors
        server = grpc.aio.server(interceptors=chosen, options=[("grpc.so_reuseport", 0)])
        add(servicer, server)
        port = server.add_insecure_port(f"{LOOPBACK}:0")
        await server.start()
        self._running.push_async_callback(server.stop, None)
        return await self.add(service, version, f"{LOOPBACK}:{port}", stop=partial(server.stop, None))

    async def serve_http(self, service: str, version: str, app: web.Application) -> Served:
        """Serve an aiohttp application, with its own middlewares, as this version of a service."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        self._running.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, LOOPBACK, 0).start()
        address = f"{LOOPBACK}:{runner.addresses[0][1]}"
        return await self.add(service, version, address, port_name="http", stop=runner.cleanup)

    async def add(
        self,
        service: str,
        version: str,
        address: str,
        *,
        port_name: str = "grpc",
        stop: Callable[[], Awaitable[Any]] = _nothing,
    ) -> Served:
        """Have a server that listens already, at `ip:port`, be this version of a service.

        `port_name` tells the protocol, `grpc` or `http`, as in Istio; a ServiceEntry of one's own for the
        host must have a port of that name. `stop` ends the server.
        """
        ip, _, port = address.rpartition(":")
        if not ip or not port.isdecimal():
            raise MeshError(f"{address!r} is no ip:port.")
        known, objects = Service(service, port_name, (version,)), self._rules.objects()
        entry = workload_entry(Instance(service, version), known, Address(ip, int(port)))
        entry = _named_anew(entry, objects)
        needed = [] if known.host in hosts_defined(objects) else [service_entry(known)]
        await self.apply("---\n".join(item.to_yaml() for item in (*needed, entry)))
        return Served(service, version, address, partial(self._leave, entry.ref, stop))

    async def _leave(self, ref: Ref, stop: Callable[[], Awaitable[Any]]) -> None:
        _require(await self._rules.delete([ref], TIMEOUT))
        await stop()

    # -- what rules they are called by

    async def apply(self, *rules: Rules) -> Report:
        """Put Istio YAML, files and folders of it, or the rules of a MeshSpec in force; all or none."""
        texts = [_as_yaml(rule) if isinstance(rule, MeshSpec) else rule for rule in rules]
        return _require(await self._rules.apply(as_files(texts), TIMEOUT))

    async def delete(self, *rules: Rules) -> Report:
        """Take these rules out of force again."""
        texts = [_as_yaml(rule) if isinstance(rule, MeshSpec) else rule for rule in rules]
        return _require(await self._rules.delete([item.ref for item in objects_in(as_files(texts))], TIMEOUT))

    # -- who calls

    @property
    def client(self) -> proxyless.Client:
        """A client of the mesh, for which a lane that cannot serve hands over to base."""
        if self._client is None:
            raise NotRunning(_OUTSIDE)
        return self._client

    def channel(self, service: str) -> grpc.aio.Channel:
        """The channel to a service, by its name or an `xds:` target; its calls carry the current lane."""
        if service not in self._channels:
            target = service if service.startswith("xds:") else f"xds:///{_authority(service)}"
            self._channels[service] = self.client.channel(target, interceptors=grpc_client.interceptors())
        return self._channels[service]

    @property
    def session(self) -> aiohttp.ClientSession:
        """A session for services that speak HTTP, whose requests carry the current lane; see `url`."""
        if self._session is None:
            self._session = proxyless.http.session(self.client, middlewares=[lane_client_middleware])
            self._running.push_async_callback(self._session.close)
        return self._session

    def url(self, service: str, path: str = "/") -> str:
        """Where a service that speaks HTTP is, for `session`."""
        return f"http://{_authority(service)}{path}"

    def environment(self, service: str, version: str = "v1") -> dict[str, str]:
        """What a process, or `Bootstrap.from_env`, needs to be a client of this mesh by that name."""
        if self._plane is None:
            raise NotRunning(_OUTSIDE)
        found = member(Instance(service, version), LOOPBACK, f"{LOOPBACK}:{self._plane.port}")
        return found | {"SERVICE_VERSION": version}

    @property
    def _rules(self) -> RuleBook:
        if self._rules_or_none is None:
            raise NotRunning(_OUTSIDE)
        return self._rules_or_none

    @property
    def _running(self) -> AsyncExitStack:
        if self._rules_or_none is None:
            raise NotRunning(_OUTSIDE)
        return self._stack


def _authority(service: str) -> str:
    return f"{Service(service, '', ()).host}:{SERVICE_PORT}"


def _as_yaml(spec: MeshSpec) -> str:
    return "---\n".join(dump_yaml(document) for document in render(spec))


def _named_anew(entry: MeshObject, objects: Sequence[MeshObject]) -> MeshObject:
    """The entry by a name that none of the objects has: a version may be served several times."""
    taken, name, number = {item.ref for item in objects}, entry.ref.name, 1
    while entry.ref in taken:
        number += 1
        metadata = {**entry.document["metadata"], "name": f"{name}-{number}"}
        entry = read_object({**entry.document, "metadata": metadata}, name)
    return entry


def _require(report: Report) -> Report:
    """The report of a change that every client has taken."""
    if not report.ok:
        raise MeshError("Not every client of the mesh has taken this change.", report.outcome_lines())
    return report
