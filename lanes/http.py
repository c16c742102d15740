"""aiohttp: the handler of a request runs in the lane it came in, and outgoing requests stay in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from lanes.context import FORWARDING, Forwarding, carry, outgoing, use

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def lane_middleware(forwarding: Forwarding = FORWARDING) -> Middleware:
    """For services behind the door: what the request carries is believed, as gRPC services believe it."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        with use(carry(request.headers.items(), forwarding)):
            return await handler(request)

    return middleware


def outgoing_headers(own: CIMultiDict[str] | None = None) -> CIMultiDict[str]:
    """The headers for a request made while serving one: the caller's own, and beside them what is carried."""
    headers = CIMultiDict(own or ())
    for key, value in outgoing():
        if own is None or key not in own:
            headers.add(key, value)
    return headers


async def lane_client_middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """For an aiohttp client session: what the request being served carries goes along with every request."""
    for key, value in outgoing():
        if key not in request.headers:
            request.headers[key] = value
    return await handler(request)
