"""The ways to endpoints that speak HTTP/1.1: each an aiohttp connector of its own, watched and drained.

Whether an endpoint can be had is known as gRPC knows it: by a connection that is kept open, on which nothing
is said. Requests have connections of their own, which aiohttp keeps and uses again.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ..balance import OutlierDetector, Readiness
from ..client import AdsClient
from ..pools import Link, Pool, SubchannelKey
from .attempts import Attempt

_CONNECT = 10.0
"""Seconds a connection may take to come about, as a subchannel's."""
_FIRST, _LONGEST, _FACTOR = 0.25, 10.0, 1.6
"""Seconds between attempts to connect, as a subchannel's."""
_FLEETING = 1.0
"""Seconds below which a connection says nothing by its end: some servers drop who does not speak at once."""


@dataclass(eq=False)
class HttpSubchannel(Link):
    """The way to one endpoint."""

    host: str
    port: int
    connector: aiohttp.TCPConnector
    doubted: asyncio.Event = field(default_factory=asyncio.Event)

    def connected(self) -> bool:
        """Whether it was there when last heard of."""
        return self.readiness is Readiness.READY

    def doubt(self, cause: str) -> None:
        """A connection could not be made: no more requests until one can."""
        self.cause = cause
        self.doubted.set()
        if self.readiness is Readiness.READY:
            self.tell(Readiness.CONNECTING)


class HttpPool(Pool[HttpSubchannel]):
    """Every endpoint that the sessions of a Client send to, and those that `explain` looks at."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        super().__init__()
        self._uniform = uniform
        self._users = 0

    @classmethod
    def of(cls, mesh: AdsClient) -> HttpPool:
        """Take a share in the pool of a Client; give it back with `give_back`."""
        pool = _pools.setdefault(mesh, cls(mesh.rng.uniform))
        pool._users += 1
        return pool

    async def give_back(self, mesh: AdsClient) -> None:
        """The last share closes it."""
        self._users -= 1
        if not self._users:
            _pools.pop(mesh, None)
            await self.close()

    def make(self, key: SubchannelKey) -> HttpSubchannel:
        """A way that nobody watches yet."""
        host, _, port = key.address.rpartition(":")
        connector = aiohttp.TCPConnector(limit=0, use_dns_cache=False, resolver=_NoNames())
        return HttpSubchannel(key, host.strip("[]"), int(port), connector)

    def connect(self, link: HttpSubchannel) -> None:
        """Keep watch."""
        name = f"HTTP endpoint {link.key.address}"
        link.task = asyncio.create_task(_watch(link, self._uniform), name=name)

    async def shut(self, link: HttpSubchannel) -> None:
        """Close its connections and end the watch."""
        if link.task is not None:
            link.task.cancel()
            await asyncio.wait([link.task])
        await link.connector.close()

    async def judge(self, call: Attempt, address: str, outliers: OutlierDetector) -> bool:
        """Tell outlier detection the HTTP status."""
        if call.status is None:
            return False
        return outliers.answered(address, call.status, asyncio.get_running_loop().time())


_pools: WeakKeyDictionary[AdsClient, HttpPool] = WeakKeyDictionary()


class _NoNames(AbstractResolver):
    """Endpoints are IP addresses: nothing here is ever looked up."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        raise OSError(f"{host!r} is not an address of an endpoint")

    async def close(self) -> None:
        pass


class _Presence(asyncio.Protocol):
    """A connection on which nothing is said, and whose end says that the endpoint is gone."""

    def __init__(self, gone: asyncio.Event) -> None:
        self._gone = gone

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()


async def _watch(link: HttpSubchannel, uniform: Callable[[float, float], float]) -> None:
    """Keep the readiness true: connect, wait for the end or a doubt, connect again."""
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        link.doubted.clear()
        try:
            async with asyncio.timeout(_CONNECT):
                transport, _ = await loop.create_connection(
                    lambda: _Presence(link.doubted), link.host, link.port
                )
        except (OSError, TimeoutError) as error:
            link.cause = _reason(error)
            link.tell(Readiness.FAILED)
            wait = min(_FIRST * _FACTOR**failures, _LONGEST) * uniform(0.8, 1.2)
            failures += 1
            await asyncio.sleep(wait)
            continue
        failures = 0
        connected = loop.time()
        try:
            link.cause = ""
            link.tell(Readiness.READY)
            await link.doubted.wait()
        finally:
            transport.abort()
        if link.readiness is Readiness.READY and loop.time() - connected < _FLEETING:
            # It takes connections and drops them: it is there. Look again, but not at once.
            link.doubted.clear()
            await _either(link.doubted, _FLEETING)
        if link.readiness is Readiness.READY:
            link.tell(Readiness.CONNECTING)


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no connection within {_CONNECT:g} s"
    return os.strerror(error.errno) if error.errno else str(error)
