"""The mesh under test: a control plane, eight instances, the ways between them, and the truth about them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import grpc
import proxyless

from lanes.context import BASE
from lanes.render import render
from lanes.spec import Lane, MeshSpec
from lanes.spec import Service as LaneService
from mesh.addresses import LOOPBACK, Address, free_port
from mesh.admin import Admin
from mesh.clients import wait_settled
from mesh.environment import member
from mesh.group import ProcessGroup
from mesh.inventory import Instance
from mesh.objects import dump_yaml, parse_objects
from mesh.rulebook import RuleBook
from mesh.store import Store
from mesh.workloads import service_entry

from .book import CHAIN, Allowed, Attempt, Timeline
from .instance import SELF, connections
from .notes import read
from .programs import SERVICES, Server, control_plane, server
from .wire import Wire

VERSIONS = ("v1", "v2")
LANES = ("dev", "half", "third")
"""Beside base."""
EVERY_LANE = (BASE, *LANES)
SETTLE = 120.0
"""Seconds in which every client has to take a change; a machine that does other things is slow."""
DRIVER = "chaos-driver"
_RETRIES = {"attempts": 4, "retryOn": "connect-failure,refused-stream,unavailable,cancelled,reset"}
_LIMITS = {"front": "8s", "back": "3s"}
"""How long an attempt may take; the second service answers faster than the first, which waits for it."""


@dataclass(frozen=True)
class Spec:
    """Which version each lane has of each service; a lane without one of its own is served by base."""

    versions: Mapping[tuple[str, str], str]
    limited: bool = False
    """Whether an attempt may take only so long: no call is sent as it is then, somebody has to see to it."""

    @classmethod
    def first(cls) -> Self:
        """Base is v1, a lane has v2 of both, one of the second service only, one nothing of its own."""
        base = {(service, BASE): "v1" for service in CHAIN}
        return cls({**base, ("front", "dev"): "v2", ("back", "dev"): "v2", ("back", "half"): "v2"})

    @classmethod
    def every_pair(cls) -> Self:
        """The same with v2 of the first service in the last lane, too: each version is called by each."""
        return cls({**cls.first().versions, ("front", "third"): "v2"})

    def flipped(self, rng: Random) -> Self:
        """The same with one lane's version of a service another, or gone, or there."""
        versions = dict(self.versions)
        key = rng.choice(CHAIN), rng.choice(EVERY_LANE)
        now = versions.pop(key, None)
        choices: list[str | None] = [each for each in (*VERSIONS, None) if each != now]
        if key[1] == BASE:
            choices.remove(None)
        if (chosen := rng.choice(choices)) is not None:
            versions[key] = chosen
        return replace(self, versions=versions)

    def version(self, service: str, lane: str) -> str:
        """The version that serves a lane."""
        return self.versions.get((service, lane)) or self.versions[service, BASE]

    def allowed(self) -> Allowed:
        """What may serve while every version has a usable instance."""
        return {
            (service, lane): frozenset({self.version(service, lane)})
            for service in CHAIN
            for lane in EVERY_LANE
        }

    def rules(self) -> str:
        """As Istio YAML, the way `lanes` renders it, with retries."""
        services = tuple(
            LaneService(name, self.versions[name, BASE], versions=VERSIONS) for name in sorted(CHAIN)
        )
        lanes = tuple(
            Lane(lane, {s: v for (s, name), v in self.versions.items() if name == lane}) for lane in LANES
        )
        documents = render(MeshSpec(services, lanes, namespace="default"))
        for each in documents:
            for route in each["spec"].get("http", ()):
                limit = {"perTryTimeout": _LIMITS[each["metadata"]["name"]]} if self.limited else {}
                route["retries"] = _RETRIES | limit
        return "---\n".join(dump_yaml(document) for document in documents)


class World:
    """All processes of the mesh, and what the faults do to them."""

    def __init__(self, folder: Path, rng: Random, *, noting: bool = True) -> None:
        """`noting` has the instances note each attempt, in files that grow as long as it lasts."""
        self._folder = folder
        self._notes = folder / "notes" if noting else None
        self._stack = AsyncExitStack()
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._number = 0
        self._ports: list[int] = []
        self.rng = rng
        self.spec = Spec.first()
        self.timeline = Timeline(0.0, self.spec.allowed())
        self.servers: list[Server] = []
        self.wires: dict[Server, Wire] = {}

    def now(self) -> float:
        """Seconds since it began."""
        return self._loop.time() - self._began

    def attempts(self) -> list[Attempt]:
        """All that the instances noted."""
        return [] if self._notes is None else list(read(self._notes, self._began))

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        group = ProcessGroup(self._folder)
        self._stack.callback(group.close)
        self._group = group.id
        self.store = Store(self._folder / "rules")
        self.store.create()
        (self._folder / "logs").mkdir()
        if self._notes is not None:
            self._notes.mkdir()
        self.store.write(service_entry(each) for each in SERVICES.values())
        plane = Address(LOOPBACK, self._port())
        admin = self._port()
        log = self._folder / "logs" / "controlplane.log"
        self.plane = control_plane(self.store.directory, plane, admin, log, self._group)
        self._stack.push_async_callback(self.plane.end)
        self.admin = Admin(f"http://{LOOPBACK}:{admin}")
        self._stack.push_async_callback(self.admin.close)
        self.book = RuleBook(self.store, self.admin)
        self.plane_address = str(plane)
        self.xds = await self._stack.enter_async_context(
            Wire(f"{LOOPBACK}:{self._port()}", self.plane_address)
        )
        await self.plane.start()
        for service in CHAIN:
            for version in VERSIONS:
                self.servers += [
                    await self.new_server(service, version, wired=wired) for wired in (True, False)
                ]
        await asyncio.gather(*(each.program.start() for each in self.servers))
        await self.book.publish(each.entry for each in self.servers)
        await self.book.apply({"rules": self.spec.rules()}, SETTLE)
        identity = member(Instance("chaos", "driver"), LOOPBACK, self.xds.address)
        self.client = await self._stack.enter_async_context(
            proxyless.Client(proxyless.Bootstrap.from_env(identity), fallback="next-route")
        )
        self.channel = self.client.channel(f"xds:///{SERVICES[CHAIN[0]].host}:9080")
        await self.channel.channel_ready()
        await self.all_taken()

    # --- instances ----------------------------------------------------------------------------------------

    async def new_server(self, service: str, version: str, *, wired: bool) -> Server:
        """An instance that has not been started yet, perhaps behind a way that can be made faulty."""
        self._number += 1
        name = f"{service}-{version}-{self._number}"
        logs, xds = self._folder / "logs", self.xds.address
        made = server(name, service, version, self._port(), xds, logs, self._notes, self._group)
        self._stack.push_async_callback(made.program.end)
        if wired:
            wire = Wire(f"{LOOPBACK}:{self._port()}", made.address)
            self.wires[made] = await self._stack.enter_async_context(wire)
            made.known_as = wire.address
        return made

    def of(self, service: str, version: str) -> list[Server]:
        """The instances of a version."""
        return [each for each in self.servers if (each.service, each.version) == (service, version)]

    def _port(self) -> int:
        port = free_port(LOOPBACK, avoid=self._ports)
        self._ports.append(port)
        return port

    # --- changes ------------------------------------------------------------------------------------------

    def plan(self, spec: Spec) -> None:
        """From now on this may be seen."""
        self.spec = spec
        self.timeline.change(self.now(), spec.allowed())

    async def flip(self) -> None:
        """Change one lane's version of a service, and wait until every client has taken that."""
        await self.turn(self.spec.flipped(self.rng))

    async def turn(self, spec: Spec) -> None:
        """Put these rules in force, and wait until every client has taken them."""
        self.plan(spec)
        report = await self.book.apply({"rules": spec.rules()}, SETTLE)
        assert report.ok, report.lines()
        self.timeline.settled(self.now())

    def flip_unread(self) -> None:
        """Change one where the control plane reads it some time: it is not there, or stopped."""
        spec = self.spec.flipped(self.rng)
        self.plan(spec)
        self.write(spec)

    def write(self, spec: Spec) -> None:
        """Put the rules where the control plane reads them."""
        self.store.write(parse_objects(spec.rules(), "rules"))

    async def replaced(self, come: Iterable[Server], gone: Iterable[Server]) -> None:
        """Have some instances called in the place of others, and wait until every client has taken that."""
        since = await self.book.generation()
        self.store.write(each.entry for each in come)
        self.store.remove(each.entry.ref for each in gone)
        await self.admin.reload()
        report = await self.book.settle(SETTLE, since or 0)
        assert report.ok, report.lines()

    async def all_taken(self) -> None:
        """Wait until every client is connected and has taken all there is."""
        fronts = [each.name for each in self.servers if each.service == CHAIN[0] and each.program.alive]
        lacking = await wait_settled(self.admin, [DRIVER, *fronts], SETTLE)
        assert not lacking, lacking

    async def connected(self, server: Server) -> bool:
        """Whether every client that has a connection to this instance has a sound one."""
        states = await self._connections(server.service)
        return all(each.get(server.known_as, "READY") == "READY" for each in states)

    async def fully_connected(self) -> bool:
        """Whether every client has a sound connection to every instance it may call, and no other."""
        for service in CHAIN:
            whole = {each.known_as: "READY" for each in self.servers if each.service == service}
            if any(each != whole for each in await self._connections(service)):
                return False
        return True

    async def _connections(self, service: str) -> list[dict[str, str]]:
        """The states of the connections to the instances of a service, of each client by address."""
        if service == CHAIN[0]:
            return [connections(self.client)]
        fronts = [each for each in self.servers if each.service == CHAIN[0] and each.program.alive]
        return [(await self.ask(each))["connections"] for each in fronts]

    async def ask(self, server: Server) -> dict[str, Any]:
        """What an instance says of itself."""
        async with grpc.aio.insecure_channel(server.address) as channel:
            answer: dict[str, Any] = json.loads(await channel.unary_unary(SELF)(b"", timeout=SETTLE))
            return answer

    async def through(self, address: str) -> None:
        """Lead every client's stream another way to the control plane, and wait until all have taken it."""
        self.xds.target = address
        self.xds.reset()
        await self.all_taken()

    @property
    def clients(self) -> int:
        """How many there are: this process, and the instances of the first service."""
        return 1 + sum(each.program.alive for each in self.servers if each.service == CHAIN[0])
