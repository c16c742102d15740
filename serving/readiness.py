"""Whether a service is ready: it listens, and the mesh has told it where the services it calls are."""

from __future__ import annotations

import asyncio

from serving.channels import Channels


class Readiness:
    """Ready once all is there, until it drains: a rule that goes later is told by the calls it concerns."""

    def __init__(self, stop: asyncio.Event, channels: Channels | None = None) -> None:
        self._stop = stop
        self._channels = channels
        self._serving = False
        self._configured = False

    def serves(self) -> None:
        """The service listens."""
        self._serving = True

    def lacking(self) -> dict[str, str]:
        """What is lacking and why, by target, or by `service` for the service itself; nothing when ready."""
        if self._stop.is_set():
            return {"service": "draining"}
        lacking = {} if self._serving else {"service": "not listening yet"}
        if not self._configured:
            waiting = dict(self._waiting())
            self._configured = not waiting
            lacking |= waiting
        return lacking

    def _waiting(self) -> list[tuple[str, str]]:
        channels = self._channels
        if channels is None or channels.mesh is None:
            return []
        states = channels.mesh.target_states()
        found = ((uri, states.get(uri, {"state": "pending"})) for uri in channels.routed)
        return [(uri, _reason(state)) for uri, state in found if state["state"] != "ready"]


def _reason(state: dict[str, str]) -> str:
    if state["state"] == "failed":
        return state["reason"]
    return f"waiting for {state.get('waiting_for', 'configuration')}"
