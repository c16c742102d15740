"""The library's own errors.

::

    XdsError
    ├── BootstrapError     the bootstrap (file, environment) cannot be used
    ├── TargetError        a target that is not an `xds:` URI
    ├── ResourceError      a resource breaks a validation rule: it is NACKed
    ├── UnknownRouteError  `explain` is asked about a route that the configuration does not have
    └── ClosedError        a Client or Channel used after its close, or outside its event loop

What a gRPC *call* fails with is never one of these but `grpc.aio.AioRpcError`, as any gRPC client raises. An
HTTP request fails with `proxyless.http.HttpError`, an XdsError and an aiohttp.ClientConnectionError.
"""

from __future__ import annotations


class XdsError(Exception):
    """The root of every error this library raises of its own."""


class BootstrapError(XdsError):
    """The bootstrap cannot be used; the message names the variable, file or field."""


class TargetError(XdsError):
    """A target is not a usable `xds:` URI; the message names it."""


class UnknownRouteError(XdsError):
    """The configuration has no such route; the message lists those it has."""


class ClosedError(XdsError):
    """A Client or Channel was used after its close, or without its event loop."""


class ResourceError(XdsError):
    """A resource breaks a validation rule of xDS, so it is NACKed.

    `field` is the path inside the resource (`virtual_hosts[0].routes[2].match.safe_regex`),
    `resource` its name where one could be read.
    """

    def __init__(self, field: str, reason: str, resource: str | None = None) -> None:
        super().__init__(field, reason, resource)
        self.field = field
        self.reason = reason
        self.resource = resource

    def __str__(self) -> str:
        where = f"{self.resource}: " if self.resource else ""
        return f"{where}{self.field}: {self.reason}" if self.field else f"{where}{self.reason}"

    def named(self, resource: str) -> ResourceError:
        """Return the same error, attributed to `resource`."""
        return ResourceError(self.field, self.reason, resource)
