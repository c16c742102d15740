"""An aiohttp session that follows the mesh's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import aiohttp

from ..client import AdsClient
from .asking import target_of
from .connector import RoutedConnector
from .dispatch import HttpDispatcher
from .errors import ClosedSessionError, UnavailableError
from .exchange import Exchange
from .pool import HttpPool
from .response import RoutedResponse

_OURS = ("connector", "connector_owner", "response_class", "proxy", "trust_env")
_SCHEMES = ("http", "ws")


def session(
    mesh: AdsClient, *, middlewares: Sequence[aiohttp.ClientMiddlewareType] = (), **options: Any
) -> aiohttp.ClientSession:
    """Return an `aiohttp.ClientSession` whose requests go where the mesh's configuration sends them.

    The host and port of a URL are the target (`http://reviews.default.svc.cluster.local:9080/…` is
    `xds:///reviews.default.svc.cluster.local:9080`; without a port it is 80); path, query, method and headers
    decide. Your `middlewares` run before that, once a request: headers they add are matched. A request's own
    `middlewares` would replace the session's, and with them the routing: such a request fails.

    `options` are ClientSession's; its timeouts apply, and the route's beside them. Requests raise HttpError
    where there is no way (see `proxyless.http.errors`). Raises TypeError for an option that is the mesh's to
    decide, ClosedError where the Client cannot be used.
    """
    mesh.check_usable()
    if wrong := [name for name in _OURS if name in options]:
        raise TypeError(f"session() takes no {wrong[0]!r}: the mesh's configuration decides that")
    routing = _Routing(mesh)
    return aiohttp.ClientSession(
        connector=routing.connector,
        response_class=RoutedResponse,
        middlewares=(*middlewares, routing),
        **options,
    )


class _Routing:
    """The innermost middleware of a session: what aiohttp would connect to a host, it routes."""

    def __init__(self, mesh: AdsClient) -> None:
        self._mesh = mesh
        self._pool = HttpPool.of(mesh)
        self._dispatchers: dict[str, HttpDispatcher] = {}
        self._calls: WeakSet[Any] = WeakSet()
        mesh.adopt(self._calls)
        self._closed = False
        self.connector = RoutedConnector(self._close)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        target = _target(request)
        if self._closed or self._mesh.closed:
            raise ClosedSessionError(f"{target}: the session is closed")
        self._mesh.check_usable()
        dispatcher = self._dispatchers.get(target)
        if dispatcher is None:
            active = self._mesh.attach(target, pool=self._pool)
            dispatcher = self._dispatchers[target] = HttpDispatcher(
                self._mesh, active, self.connector, self._calls
            )
        return await dispatcher.run(Exchange(request, handler))

    async def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for attempt in list(self._calls):
            attempt.cancel()
        self._mesh.release(self._calls)
        for dispatcher in self._dispatchers.values():
            dispatcher.close()
            self._mesh.detach(dispatcher.active)
            dispatcher.active.notify()
        self._dispatchers.clear()
        await self._pool.give_back(self._mesh)


def _target(request: aiohttp.ClientRequest) -> str:
    """The xDS target of a request; UnavailableError for what the mesh does not carry."""
    url = request.url
    if url.scheme not in _SCHEMES:
        raise UnavailableError(
            f"{url.origin()}: only http:// goes through the mesh, which connects in plain text; "
            "use a session of aiohttp's own for anything else"
        )
    if request.proxy is not None:
        raise UnavailableError(f"{url.origin()}: a request through the mesh takes no proxy")
    return target_of(url)
