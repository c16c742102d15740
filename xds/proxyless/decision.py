"""What `explain` answers with: where a call goes, and every rule that had a say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


class RouteName(str):
    """The name of a route, empty where it has none; it also knows its place in its virtual host."""

    index: int  # type: ignore[assignment] # a place, which nobody needs str.index for

    def __new__(cls, name: str, index: int) -> RouteName:
        made = super().__new__(cls, name)
        made.index = index
        return made

    @property
    def name(self) -> str:
        """The name alone."""
        return str(self)


@dataclass(frozen=True)
class Decision:
    """Where a call or an HTTP request would go.

    Where the decision stops early, what comes later is None or empty and `error` says why.
    """

    target: str
    """The target as it was given; of an HTTP request its URL."""
    method: str
    """The path of the call, `/package.Service/Method`; of an HTTP request its method, `GET`."""
    listener: str
    """The name asked for in LDS."""
    route_config: str | None = None
    """The name asked for in RDS, or of the routes in the listener."""
    virtual_host: str | None = None
    """The name of the virtual host whose domains match the authority."""
    domain: str | None = None
    """Which of the virtual host's domains fits the authority of the call."""
    route: RouteName | None = None
    """The name of the route, a `str` that also has its `index` in the virtual host."""
    cluster: str | None = None
    """The cluster that was drawn."""
    clusters: dict[str, int] = field(default_factory=dict)
    """The clusters it was drawn among, with their weights."""
    serving: str | None = None
    """The cluster that serves, where `cluster` is an aggregate of others."""
    endpoints: list[str] = field(default_factory=list)
    """The usable addresses, `ip:port`, best priority first."""
    balancing: dict[str, Any] | None = None
    """How the endpoints share the calls: the policy, the call's hash, what limits them."""
    timeout: float | None = None
    """The configured limit in seconds (gRFC A31; for HTTP Envoy's, 15 where none is set); None is none."""
    retry: dict[str, Any] | None = None
    """When the call is tried again, how often, and after how many seconds (gRFC A44)."""
    fault: dict[str, Any] | None = None
    """The delays and aborts that calls of this route may get (gRFC A33)."""
    rewrite: dict[str, str] | None = None
    """The `path` and `authority` an HTTP request is sent with, as far as they are not its own."""
    answer: dict[str, Any] | None = None
    """What the configuration itself answers an HTTP request: `status`, and `location` or `body`."""
    mirrors: dict[str, float] = field(default_factory=dict)
    """Which clusters get a copy, and of what percentage of the calls."""
    edits: list[str] = field(default_factory=list)
    """What is done to the headers of the request and the response, in order."""
    steps: list[str] = field(default_factory=list)
    """Every route that was tried, in order, and why it did not match or was passed over."""
    error: str | None = None
    """Why the call would fail; None where it would reach an endpoint, or be answered here."""
    wanted: list[dict[str, Any]] | None = None
    """For each route of the name that was asked about: what keeps the call from it, and one that takes it."""

    def to_json(self, indent: int | None = 2) -> str:
        """Return the decision as a JSON object; `indent` is json.dumps's."""
        fields = {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "route": None if self.route is None else {"name": self.route.name, "index": self.route.index},
        }
        return json.dumps(fields, indent=indent)
