"""What the library tells the world. It imports no telemetry: subclass Observer and pass it to Client."""

from __future__ import annotations

from .resources import Kind


class Observer:
    """Is told what happens inside a Client; every method does nothing unless overridden.

    Called on the event loop: return quickly. An exception is logged and otherwise without effect.
    """

    def stream_connected(self, server: str) -> None:
        """The control plane at `server` sent the first response of a stream."""

    def stream_failed(self, server: str, error: str) -> None:
        """A stream ended before any response."""

    def resource_updated(self, kind: Kind, name: str, version: str) -> None:
        """A resource was accepted."""

    def resource_refused(self, kind: Kind, name: str, error: str) -> None:
        """A resource broke a rule and was NACKed; the last good one stays in force."""

    def resource_absent(self, kind: Kind, name: str) -> None:
        """The control plane has no such resource, or deleted it."""

    def field_unsupported(self, kind: Kind, name: str, note: str) -> None:
        """An accepted resource sets something that has no effect here; said once for each."""

    def config_changed(self, target: str, state: str) -> None:
        """The routing of a target changed; `state` is `ready`, `pending` or the reason it fails."""

    def call_routed(self, target: str, method: str, route: str, cluster: str, endpoint: str) -> None:
        """An attempt of a call goes to an endpoint."""

    def call_retried(self, target: str, method: str, code: str, attempt: int) -> None:
        """An attempt failed with `code` and another follows; `attempt` counts from 1."""
