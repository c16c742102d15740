"""What programs begin with: a Client of their own, or a channel on the shared one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio

from .bootstrap import Bootstrap
from .channel import Channel
from .client import AdsClient
from .errors import ClosedError
from .names import is_url

if TYPE_CHECKING:
    from .decision import Decision


class Client(AdsClient):
    """Speaks ADS to the control plane and hands out channels that follow what it says.

    `fallback="next-route"` lets a call whose cluster has no usable endpoint go on with the next matching
    route; `"none"`, the default, fails it, as gRPC and Envoy do. `reconnect` is the first and the longest
    wait, in seconds, between attempts to reach the control plane; `max_response` how many bytes one of its
    responses may have. `rng` and `observer` are injected.

    Use as an async context manager, or call `close`. Raises ClosedError where there is no running event loop,
    and ValueError for another `fallback`.
    """

    def channel(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] | None = None,
        compression: grpc.Compression | None = None,
        interceptors: Sequence[aio.ClientInterceptor] | None = None,
    ) -> Channel:
        """Return a `grpc.aio.Channel` for an `xds:///` target, at once.

        Calls made before configuration arrives wait for it, up to their deadline. Interceptors run before
        routing: metadata they add is matched. Raises TargetError for another kind of target.
        """
        return Channel(self, target, credentials, options, compression, interceptors)

    async def explain(
        self,
        target: str,
        *,
        method: str | None = None,
        metadata: Sequence[tuple[str, str | bytes]] = (),
        timeout: float | None = 10.0,
        want_route: str | None = None,
    ) -> Decision:
        """Say where a call or an HTTP request would go, and why.

        `target` is `xds:///host:port` and `method` the call's, `/package.Service/Method`; or it is the
        `http://` URL of a request, `method` its own (`GET` if not given) and `metadata` its headers.
        `timeout` is how many seconds to wait for configuration.

        The decision is one a call would get now: weights and fractions are drawn. `want_route`, a name or
        `#INDEX`, also asks what would have to change for the call to take that route. Raises TargetError,
        UnknownRouteError, and TimeoutError with what is missing where no configuration arrives; TypeError
        without the `method` of a call, ImportError for a URL where aiohttp is missing.
        """
        if is_url(target):
            from .http.asking import explain_request  # noqa: PLC0415 - aiohttp is an extra

            return await explain_request(self, target, method or "GET", metadata, timeout, want_route)
        # Most processes never ask, and all of them have to start.
        from .drafts import Draft  # noqa: PLC0415
        from .explain import explain  # noqa: PLC0415

        active = self.attach(target)
        try:
            if method is None:
                raise TypeError("explain() of a gRPC call needs its `method`, '/package.Service/Method'")
            path = method if method.startswith("/") else f"/{method}"
            call = Draft(path, active.target.authority, tuple(metadata))
            return await explain(active, call, timeout, want_route)
        finally:
            self.detach(active)


_shared: dict[asyncio.AbstractEventLoop, dict[str, tuple[Client, set[Channel]]]] = {}


def insecure_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Sequence[aio.ClientInterceptor] | None = None,
) -> Channel:
    """Return a channel on the Client this event loop shares, made from the environment.

    The signature is `grpc.aio.insecure_channel`'s. The Client is closed with the last of its channels.
    Raises BootstrapError, TargetError, and ClosedError where there is no running event loop.
    """
    return _channel(target, None, options, compression, interceptors)


def secure_channel(
    target: str,
    credentials: grpc.ChannelCredentials,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Sequence[aio.ClientInterceptor] | None = None,
) -> Channel:
    """Return a channel like `insecure_channel`'s whose connections to endpoints use `credentials`.

    The signature is `grpc.aio.secure_channel`'s. Raises what `insecure_channel` raises.
    """
    return _channel(target, credentials, options, compression, interceptors)


def _channel(
    target: str,
    credentials: grpc.ChannelCredentials | None,
    options: Sequence[tuple[str, Any]] | None,
    compression: grpc.Compression | None,
    interceptors: Sequence[aio.ClientInterceptor] | None,
) -> Channel:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise ClosedError("an xDS channel needs a running event loop: make it in a coroutine") from None
    bootstrap = Bootstrap.from_env()
    for other in list(_shared):
        if other.is_closed():  # with channels nobody closed: their Client held it
            _shared.pop(other, None)
    clients = _shared.setdefault(loop, {})
    if bootstrap.identity not in clients:
        clients[bootstrap.identity] = (Client(bootstrap), set())
    client, users = clients[bootstrap.identity]

    async def released(channel: Channel) -> None:
        users.discard(channel)
        if not users and clients.get(bootstrap.identity, (None,))[0] is client:
            del clients[bootstrap.identity]
            await client.close()

    try:
        channel = Channel(client, target, credentials, options, compression, interceptors, released)
    except BaseException:
        if not users:
            del clients[bootstrap.identity]
        raise
    users.add(channel)
    return channel
