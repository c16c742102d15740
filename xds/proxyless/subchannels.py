"""Subchannels: one grpc.aio channel an endpoint, shared, watched, drained."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

import grpc
from grpc import aio

from .balance import OutlierDetector, Readiness
from .pools import Link, Pool, SubchannelKey
from .transport import plain_channel

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", 10_000),  # also how long one attempt may take (gRFC A56: 10 s)
    ("grpc.max_reconnect_backoff_ms", 10_000),
)


_FAREWELL = 0.1
"""Seconds a closed connection may take to say so; it takes less than one millisecond."""


@dataclass(eq=False)
class Subchannel(Link):
    """A connection to one endpoint and what is known of it."""

    channel: aio.Channel | None = None
    """None until its turn to connect has come."""
    _methods: WeakKeyDictionary[Any, Any] = field(default_factory=WeakKeyDictionary)

    def method(self, method: Any) -> Any:
        """Return the inner multicallable of a `dispatch.Method`, made once and kept as long as that is."""
        found = self._methods.get(method)
        if found is None:
            make = getattr(self.channel, method.kind)
            found = self._methods[method] = make(method.path, method.serialize, method.deserialize)
        return found

    def connected(self) -> bool:
        """Ask the connection itself, as the news of its end may still be on its way here.

        A call on one that is gone would end with it, however many other endpoints are ready.
        """
        if self.channel is not None and self.channel.get_state() is grpc.ChannelConnectivity.READY:
            return True
        self.tell(Readiness.CONNECTING)
        return False

    def lost(self) -> bool:
        """Whether there is no connection at this moment."""
        return self.channel is None or self.channel.get_state() is not grpc.ChannelConnectivity.READY


Told: TypeAlias = Callable[[SubchannelKey, Literal["made", "failed", "lost"], str], None]
"""Is told what becomes of a connection, and the reason of a failure."""


class SubchannelPool(Pool[Subchannel]):
    """Every subchannel of a Client."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def make(self, key: SubchannelKey) -> Subchannel:
        """A subchannel without a channel."""
        return Subchannel(key)

    def connect(self, link: Subchannel) -> None:
        """Make the channel, and keep it connected."""
        key = link.key
        options: Sequence[tuple[str, Any]] = (
            *_OPTIONS,
            ("grpc.default_authority", key.authority),
            *key.options,
        )
        scheme = "ipv6" if key.address.startswith("[") else "ipv4"
        link.channel = plain_channel(f"{scheme}:{key.address}", options, key.credentials)
        link.channel.get_state(try_to_connect=True)
        watching = _watch(link, link.channel, self._told)
        link.task = asyncio.create_task(watching, name=f"subchannel {key.address}")

    async def shut(self, link: Subchannel) -> None:
        """Close, and wait until gRPC has told its watchers."""
        await _shut(link)

    async def judge(self, call: aio.Call, address: str, outliers: OutlierDetector) -> bool:
        """Tell outlier detection the call's gRPC status."""
        code = (await call.code()).value[0]
        return outliers.ended(address, code, asyncio.get_running_loop().time())


async def _watch(subchannel: Subchannel, channel: aio.Channel, told: Told) -> None:
    """Keep the subchannel connected and its readiness true."""
    key, ready = subchannel.key, grpc.ChannelConnectivity.READY
    before = None
    with contextlib.suppress(aio.UsageError):  # it was closed while it was asked why it had failed
        while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.SHUTDOWN:
            readiness = _next_readiness(subchannel.readiness, state)
            if before is ready and state is not ready:
                told(key, "lost", "")
            before = state
            if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                subchannel.cause = await _cause(channel)
                told(key, "failed", subchannel.cause)
            elif state is ready:
                told(key, "made", "")
            subchannel.tell(readiness)
            await channel.wait_for_state_change(state)
    if before is ready:
        told(key, "lost", "")


def _next_readiness(now: Readiness, state: grpc.ChannelConnectivity) -> Readiness:
    """A failed endpoint stays failed until it is ready again, however often it tries (gRFC A62)."""
    if state is grpc.ChannelConnectivity.READY:
        return Readiness.READY
    if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE or now is Readiness.FAILED:
        return Readiness.FAILED
    return Readiness.CONNECTING


_ASK = "/proxyless.Nothing/Why"
_LAST_ERROR = re.compile(r".*last error: (?:[A-Z]+: )?(?:ipv[46]:\S+ )?", re.DOTALL)


async def _cause(channel: aio.Channel) -> str:
    """Why a channel cannot connect: a call on it fails at once with the reason, which nothing else tells."""
    ask: Any = channel.unary_unary(_ASK)
    try:
        await ask(b"", timeout=_FAREWELL)
    except aio.AioRpcError as error:
        return _LAST_ERROR.sub("", error.details() or "")
    return ""


async def _shut(subchannel: Subchannel) -> None:
    """Close, and wait until gRPC has told its watchers: news for a loop that is closed by then is an error.

    Where the task that watches was cancelled, as at the end of asyncio.run, the other watcher is told last.
    gRPC tells neither while somebody still holds a call that has ended, so there is a limit.
    """
    channel = subchannel.channel
    if channel is None:
        return
    watchers = [asyncio.create_task(channel.wait_for_state_change(channel.get_state()))]
    if subchannel.task is not None:
        watchers.append(subchannel.task)
    await asyncio.sleep(0)  # until it watches
    await channel.close()
    _, untold = await asyncio.wait(watchers, timeout=_FAREWELL)
    for watcher in untold:
        watcher.cancel()
    if untold:
        await asyncio.wait(untold)
