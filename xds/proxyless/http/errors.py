"""What a request fails with where its way through the mesh is to blame.

::

    HttpError                  an XdsError and an aiohttp.ClientConnectionError
    ├── UnavailableError       there is no way: no such target, route, usable endpoint, or a limit is reached
    ├── EndpointError          an endpoint broke the exchange off
    ├── RouteTimeoutError      the route's time was up; also an aiohttp.ServerTimeoutError
    └── ClosedSessionError     the session or its Client was closed; also a ClosedError

Where Envoy would make up an answer of its own, a 404 without a route, a 503 without an endpoint, a 504 when
time is up, an error is raised: no proxy stands between, and a status would look like the service's. What the
configuration itself demands, an abort, a redirect, a direct response, is answered with that status.
"""

from __future__ import annotations

import aiohttp

from ..errors import ClosedError, XdsError


class HttpError(XdsError, aiohttp.ClientConnectionError):
    """The root; the message names the target, and as far as they are known route, cluster and endpoint."""


class UnavailableError(HttpError):
    """Nothing can serve the request (Envoy: 404 for no route, else 503)."""


class EndpointError(HttpError):
    """An endpoint refused the connection or broke the exchange off (Envoy: 503); `__cause__` is aiohttp's."""


class RouteTimeoutError(HttpError, aiohttp.ServerTimeoutError):
    """The time that the route gives was up (Envoy: 504)."""


class ClosedSessionError(HttpError, ClosedError):
    """The session, or the Client it routes by, was closed meanwhile."""
