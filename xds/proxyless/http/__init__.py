"""aiohttp over the mesh: a client session routed by the configuration that routes gRPC calls.

Needs the extra `proxyless-xds[http]`; nothing else of the library imports aiohttp.
"""

try:
    import aiohttp

    aiohttp.ClientMiddlewareType  # noqa: B018 - what 3.12 brought
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"proxyless.http needs aiohttp 3.12 or newer ({error}); install it with: "
        "pip install 'proxyless-xds[http]'"
    ) from error

from .errors import ClosedSessionError, EndpointError, HttpError, RouteTimeoutError, UnavailableError
from .session import session

__all__ = [
    "ClosedSessionError",
    "EndpointError",
    "HttpError",
    "RouteTimeoutError",
    "UnavailableError",
    "session",
]
