"""Whose admin ports the console reads, and what the mesh around them says: one machine's, or a cluster's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lanes.landscape import LaneError
from lanes.store import Seen
from mesh.errors import MeshError
from mesh.lane_store import MeshStore
from mesh.remote import Remote
from mesh.state import StateFolder
from mesh.status import MeshStatus

_PATIENCE = 5.0


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

    def __init__(self, state: StateFolder) -> None:
        self._state = state

    async def scene(self) -> Scene:
        """Processes by the mesh's status; objects by its store of lanes."""
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                Remote(self._state) as remote,
                MeshStore(self._state) as store,
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
    """The processes at all addresses of these names, as headless Services give them; read anew each time."""

    def __init__(self, hosts: Sequence[tuple[str, int]], name: str = "") -> None:
        self.name = name or "cluster"
        self._hosts = tuple(hosts)

    async def scene(self) -> Scene:
        """Every address of every name."""
        found = await asyncio.gather(*(_resolved(host, port) for host, port in self._hosts))
        peers = {peer.admin: peer for each in found if not isinstance(each, str) for peer in each}
        named = zip(self._hosts, found, strict=True)
        errors = tuple((host, each) for (host, _), each in named if isinstance(each, str))
        return Scene(tuple(peers.values()), errors=errors)


async def _resolved(host: str, port: int) -> list[Peer] | str:
    """A peer for each address of the name; or why there is none."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return f"the name was not resolved within {_PATIENCE:g} s"
    except OSError as error:
        return f"the name cannot be resolved: {error.strerror or error}"
    ips = {str(answer[4][0]) for answer in answers}
    addresses = sorted(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in ips)
    return [Peer(f"{host} at {address}", address) for address in addresses]
