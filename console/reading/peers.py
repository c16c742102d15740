"""Whose admin ports the console reads, and what the mesh around them says: one machine's, or a cluster's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from lanes.landscape import LaneError
from lanes.store import LaneStore, Seen
from mesh.errors import MeshError
from mesh.lane_store import MeshStore
from mesh.remote import Remote
from mesh.state import StateFolder
from mesh.status import MeshStatus

_PATIENCE = 5.0
# The name is not there, or has no address, says whoever has to know; all else is an accident on the way.
_NOT_THERE = {
    number for name in ("EAI_NONAME", "EAI_NODATA") if (number := getattr(socket, name, None)) is not None
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A process with an admin port, `ip:port`; what else is known of it without asking it."""

    name: str
    admin: str
    service: str = ""
    version: str = ""
    address: str = ""
    """Where it is called, `ip:port`."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known of a mesh at one moment beside what its processes say themselves."""

    peers: tuple[Peer, ...] = ()
    status: MeshStatus | None = None
    seen: Seen | None = None
    door: str = ""
    """The door's rules as their file has them."""
    errors: tuple[tuple[str, str], ...] = ()
    """Who could not be asked, and why."""


class Source(Protocol):
    """A mesh to look at."""

    @property
    def name(self) -> str:
        """As a person knows it."""

    async def scene(self) -> Scene:
        """What there is now; what cannot be asked is among its errors."""


class Machine:
    """The mesh on this machine that lives in a state folder."""

    name = "one machine"

    def __init__(self, state: StateFolder, lane_key: str = "env") -> None:
        self._state = state
        self._lane_key = lane_key

    async def scene(self) -> Scene:
        """Processes by the mesh's status; objects by its store of lanes."""
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                Remote(self._state) as remote,
                MeshStore(self._state, self._lane_key) as store,
            ):
                status, seen, door = await asyncio.gather(remote.status(), store.read(), store.door())
        except (MeshError, LaneError) as error:
            return Scene(errors=(("the mesh", str(error)),))
        except TimeoutError:
            return Scene(errors=(("the mesh", f"it did not answer within {_PATIENCE:g} s"),))
        return Scene(peers_of(status), status, seen, door)


def peers_of(status: MeshStatus) -> tuple[Peer, ...]:
    """Every process of a mesh that has an admin port."""
    found: list[Peer] = []
    for process in status.processes:
        service, slash, version = process.name.partition("/")
        if slash and process.admin:
            found.append(Peer(process.name, process.admin, service, version, process.address))
    return tuple(found)


class Cluster:
    """The processes at all addresses of these names, as headless Services give them; read anew each time.

    A name that cannot be looked up for the moment keeps the addresses it had; one that is not there has none.
    """

    def __init__(self, hosts: Sequence[tuple[str, int]], name: str = "") -> None:
        self.name = name or "cluster"
        self._hosts = tuple(dict.fromkeys(hosts))
        self._last: dict[tuple[str, int], list[Peer]] = {}

    async def scene(self) -> Scene:
        """Every address of every name."""
        errors = [error for error in await asyncio.gather(*map(self._resolve, self._hosts)) if error]
        peers = {peer.admin: peer for host in self._hosts for peer in self._last.get(host, ())}
        return Scene(tuple(peers.values()), errors=tuple(errors))

    async def _resolve(self, name: tuple[str, int]) -> tuple[str, str] | None:
        """Look a name up; the name and what is wrong with it, if so."""
        host, port = name
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE):
                answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            return host, f"the name was not looked up within {_PATIENCE:g} s{self._kept(name)}"
        except OSError as error:
            reason = error.strerror or str(error)
            if isinstance(error, socket.gaierror) and error.errno in _NOT_THERE:
                self._last.pop(name, None)
                return host, f"the name has no address: {reason}"
            return host, f"the name cannot be looked up: {reason}{self._kept(name)}"
        ips = {str(answer[4][0]) for answer in answers}
        addresses = sorted(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in ips)
        self._last[name] = [Peer(f"{host} at {address}", address) for address in addresses]
        return None

    def _kept(self, name: tuple[str, int]) -> str:
        return "; who was there last is asked" if self._last.get(name) else ""


class Objects:
    """Processes together with the objects of their namespace, as a store of lanes has them.

    Where the store cannot be asked, what it said last stands, and that it is out of reach is said.
    """

    def __init__(self, processes: Source, store: LaneStore) -> None:
        self.name = processes.name
        self._processes = processes
        self._store = store
        self._seen: Seen | None = None
        self._door = ""

    async def scene(self) -> Scene:
        """The processes; the objects, workloads and the door's rules by the store."""
        scene, failed = await asyncio.gather(self._processes.scene(), self._read())
        errors = (*scene.errors, *([("the API server", failed)] if failed else []))
        return replace(scene, seen=self._seen, door=self._door, errors=errors)

    async def _read(self) -> str:
        try:
            async with asyncio.timeout(_PATIENCE):
                self._seen = await self._store.read()
                self._door = await self._store.door()
        except LaneError as error:
            return str(error)
        except TimeoutError:
            return f"it did not answer within {_PATIENCE:g} s"
        return ""
