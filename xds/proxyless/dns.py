"""Endpoints of a LOGICAL_DNS cluster: a host name looked up again and again (gRFC A37)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from .resources import DnsDiscovery, Endpoint, Endpoints, Locality, LocalityName

LookUp: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Gives the IP addresses of a host; raises OSError where there are none."""


async def look_up(host: str, port: int) -> list[str]:
    """Ask the system's resolver, which knows /etc/hosts as well as DNS."""
    loop = asyncio.get_running_loop()
    found: list[tuple[Any, ...]] = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class NameWatch:
    """Keeps the endpoints of one host name; `changed` is called with each answer that is new.

    A look-up that fails changes nothing where one has succeeded before.
    """

    def __init__(self, discovery: DnsDiscovery, changed: Callable[[], None], look_up: LookUp) -> None:
        self._discovery = discovery
        self._changed = changed
        self._look_up = look_up
        self._answer: Endpoints | str | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"DNS {discovery.address}")

    @property
    def answer(self) -> Endpoints | str | None:
        """The endpoints, or why there are none; None before the first answer."""
        return self._answer

    def close(self) -> None:
        """Look no further."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            answer = await self._ask()
            if answer != self._answer and not (
                isinstance(answer, str) and isinstance(self._answer, Endpoints)
            ):
                self._answer = answer
                self._changed()
            await asyncio.sleep(self._discovery.refresh)

    async def _ask(self) -> Endpoints | str:
        discovery = self._discovery
        try:
            addresses = await self._look_up(discovery.host, discovery.port)
        except OSError as error:
            return f"{discovery.host!r} cannot be resolved: {error.strerror or error}"
        endpoints = tuple(Endpoint(ip, discovery.port) for ip in addresses)
        return Endpoints(discovery.address, (Locality(LocalityName(), 1, 0, endpoints),))
