"""Guests: processes of the user's own that the mesh starts as instances of a service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.addresses import Address
from mesh.errors import MeshError, NotFound
from mesh.inventory import Instance, Service
from mesh.objects import MeshObject, is_name
from mesh.unit import START_TIMEOUT

_POLL = 0.05


@dataclass(frozen=True)
class Guest:
    """What to start, as whom, where, and in which environment beside what the mesh adds."""

    instance: Instance
    service: Service
    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str] = field(repr=False)
    command: str = ""
    """What the user gave, for people to read."""
    start_timeout: float = START_TIMEOUT
    """How long it may take until it serves, in seconds."""


def guest_from(body: Mapping[str, Any], services: Iterable[Service], objects: Iterable[MeshObject]) -> Guest:
    """A guest as another shell describes it; MeshError for a service nobody knows or an unfit version."""
    instance = Instance(str(body["service"]), str(body["version"]))
    if not is_name(instance.pod):
        raise MeshError(f"{instance.version!r} is no version to start; only a-z, 0-9, '-' and '.' fit.")
    return Guest(
        instance,
        _service(instance.service, services, objects),
        tuple(map(str, body["argv"])),
        str(body["directory"]),
        dict(body["environment"]),
        str(body["command"]),
        float(body.get("timeout") or START_TIMEOUT),
    )


def _service(name: str, services: Iterable[Service], objects: Iterable[MeshObject]) -> Service:
    for service in services:
        if service.name == name:
            return service
    for item in objects:
        ports = (item.document.get("spec") or {}).get("ports")
        if item.ref.kind == "ServiceEntry" and item.ref.name == name and ports:
            return Service(name, str(ports[0].get("name") or "grpc"), ())
    raise NotFound(f"There is no service {name!r} in this mesh.")


async def until_called(address: Address) -> None:
    """Return when somebody listens there."""
    while True:
        try:
            _, writer = await asyncio.open_connection(address.ip, address.port)
        except OSError:
            await asyncio.sleep(_POLL)
            continue
        writer.close()
        return
