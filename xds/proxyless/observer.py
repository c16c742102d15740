"""What the library tells the world. It imports no telemetry: subclass Observer and pass it to Client."""

from __future__ import annotations

from dataclasses import dataclass

from .resources import Kind, LocalityName


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt of a call, on its way to an endpoint."""

    target: str
    """As it was given: `xds:///host:port`."""
    method: str
    """The path, `/package.Service/Method`; of an HTTP request its method and path, `GET /delivery/1`."""
    route: str
    """Its name, `#INDEX` where it has none."""
    cluster: str
    """The one that serves: of an aggregate, the one it came down to (gRFC A37)."""
    endpoint: str
    """`ip:port`."""
    locality: LocalityName
    """Where the endpoint stands."""
    number: int
    """1 for the first; retries count on."""


class Observer:
    """Is told what happens inside a Client; every method does nothing unless overridden.

    Called on the event loop: return quickly. What is told of a call's attempts is told in the context of the
    call, so that context variables are the caller's. An exception is logged and otherwise without effect.

    A `code` is a gRPC status (`OK`, `UNAVAILABLE` …). Of an HTTP request it is the status of its response
    (`200`), or what it failed with, the full name of the exception's class; it ends with the response's body.
    """

    # --- the control plane --------------------------------------------------------------------------------

    def stream_opening(self, server: str) -> None:
        """A stream to the control plane at `server` is being opened, the first or another one."""

    def stream_connected(self, server: str) -> None:
        """The control plane at `server` sent the first response of a stream."""

    def stream_failed(self, server: str, error: str) -> None:
        """A stream ended before any response."""

    def response_received(self, server: str, kind: Kind, valid: int, invalid: int) -> None:
        """A response came, with so many resources that are valid and so many that break a rule.

        Those that have not changed and those that nobody asked for count, too.
        """

    def resource_updated(self, kind: Kind, name: str, version: str) -> None:
        """A resource was accepted."""

    def resource_refused(self, kind: Kind, name: str, error: str) -> None:
        """A resource broke a rule and was NACKed; the last good one stays in force."""

    def resource_absent(self, kind: Kind, name: str) -> None:
        """The control plane has no such resource, or deleted it."""

    def resource_cached(self, kind: Kind, name: str, state: str | None) -> None:
        """What is known of a resource has changed; `state` is a cache state of gRFCs A78 and A88.

        None where nobody wants the resource any more.
        """

    def field_unsupported(self, kind: Kind, name: str, note: str) -> None:
        """An accepted resource sets something that has no effect here; said once for each."""

    def config_changed(self, target: str, state: str) -> None:
        """The routing of a target changed; `state` is `ready`, `pending` or the reason it fails."""

    # --- connections to endpoints -------------------------------------------------------------------------

    def connection_made(self, target: str, endpoint: str) -> None:
        """A connection to an endpoint is ready."""

    def connection_failed(self, target: str, endpoint: str, reason: str) -> None:
        """An attempt to connect to an endpoint failed."""

    def connection_lost(self, target: str, endpoint: str) -> None:
        """A connection that was ready is not any more; closing it counts, too."""

    # --- calls --------------------------------------------------------------------------------------------

    def call_routed(self, attempt: Attempt) -> None:
        """An attempt of a call goes to an endpoint. Mirrored copies of calls are not told of."""

    def call_retried(self, attempt: Attempt, code: str) -> None:
        """The attempt failed with `code`, and another follows."""

    def attempt_ended(self, attempt: Attempt, code: str, seconds: float) -> None:
        """An attempt ended with `code` after so many seconds."""

    def call_ended(self, target: str, method: str, code: str, seconds: float, attempts: int) -> None:
        """A call ended, after so many seconds and attempts; none where it never got to an endpoint."""

    def sole_attempt_ended(self, attempt: Attempt, code: str, seconds: float) -> None:
        """A gRPC call that could start at once ended with its first attempt: the two above in one.

        Of other calls, and where this is not overridden, those two are told.
        """
