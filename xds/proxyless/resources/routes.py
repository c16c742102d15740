"""Routes, virtual hosts and route configurations."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from msgspec import Struct

from .effects import NO_EDITS, FaultFilter, HashPolicy, MessageEdits, PathRewrite, RetryPolicy
from .matching import EVERY_CALL, Fraction, RouteMatch


class WeightedCluster(Struct, frozen=True, gc=False):
    """One choice of envoy.config.route.v3.WeightedCluster."""

    name: str
    weight: int
    faults: tuple[FaultFilter, ...] = ()
    edits: MessageEdits = NO_EDITS


class Mirror(Struct, frozen=True, gc=False):
    """A share of the calls is sent to this cluster as well (RequestMirrorPolicy)."""

    cluster: str
    fraction: Fraction = EVERY_CALL
    shadow_suffix: bool = True
    """The copy's authority ends in `-shadow`, as Envoy's does."""


class ClusterAction(Struct, frozen=True, gc=False):
    """Forward to one of these clusters, drawn by weight; a plain `cluster` is a list of one."""

    clusters: tuple[WeightedCluster, ...]
    max_stream_duration: float | None = None
    """Seconds; 0 is no limit, None leaves it to the listener (gRFC A31)."""
    retry: RetryPolicy | None = None
    hash_policies: tuple[HashPolicy, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    timeout: float | None = None
    """Seconds an HTTP request may take; 0 is no limit, None leaves it to the client (Envoy: 15)."""
    rewrite: PathRewrite | None = None
    """For HTTP requests."""
    host_rewrite: str | None = None
    """The authority an HTTP request is sent with, if not its own."""


class RedirectAction(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.RedirectAction: an HTTP request is sent elsewhere, a gRPC call fails (A28)."""

    what: ClassVar[str] = "redirect"
    status: int = 301
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    rewrite: PathRewrite | None = None
    strip_query: bool = False


class DirectResponse(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.DirectResponseAction: the answer to an HTTP request; a gRPC call fails (A28)."""

    what: ClassVar[str] = "direct_response"
    status: int
    body: bytes = b""


class OtherAction(Struct, frozen=True, gc=False):
    """An action that no client can follow (filter_action, non_forwarding_action): the call fails (A28)."""

    what: str


Action: TypeAlias = ClusterAction | RedirectAction | DirectResponse | OtherAction


class Route(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.Route."""

    match: RouteMatch
    action: Action
    name: str = ""
    index: int = 0
    """Its place in its virtual host, from 0."""
    faults: tuple[FaultFilter, ...] = ()
    edits: MessageEdits = NO_EDITS

    def at(self, index: int) -> Route:
        """The same route in another place."""
        return Route(self.match, self.action, self.name, index, self.faults, self.edits)


class VirtualHost(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.VirtualHost."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    retry: RetryPolicy | None = None
    faults: tuple[FaultFilter, ...] = ()
    edits: MessageEdits = NO_EDITS


class RouteConfig(Struct, frozen=True, gc=False):
    """envoy.config.route.v3.RouteConfiguration."""

    name: str
    virtual_hosts: tuple[VirtualHost, ...]
    edits: MessageEdits = NO_EDITS
    specific_edits_win: bool = False
    """Edit by route configuration first, weighted cluster last, so that the last word is the latter's."""
