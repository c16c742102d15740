"""Whether the clients have answered a change, and all that it made them ask for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TypedDict

from controlplane.consistency import references
from controlplane.state import Client, State

GRACE = 0.5
"""Seconds after its last request for which a client may still be about to ask for what it was pointed to."""


class ClientSync(TypedDict):
    """One affected client, as the admin port gives it."""

    id: str
    state: str
    message: str | None
    resources: list[str]


class SyncReport(TypedDict):
    """The answer of `/sync`."""

    generation: int
    complete: bool
    changed: dict[str, list[str]]
    clients: list[ClientSync]


@dataclass(frozen=True, slots=True)
class _Verdict:
    state: str
    message: str | None = None


async def wait_for_clients(state: State, since: int, timeout: float) -> SyncReport:
    """Wait until every client affected since a generation has answered, at most `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        found = report(state, since, time.monotonic())
        left = deadline - time.monotonic()
        if found["complete"] or left <= 0:
            return found
        # Woken by any request; the short step is for the grace, which ends without one.
        await state.wait(min(left, GRACE / 5))


def report(state: State, since: int, now: float) -> SyncReport:
    """How far the clients are at this moment (`now` in monotonic seconds)."""
    changed: dict[str, set[str]] = {"LDS": set(), "RDS": set(), "CDS": set(), "EDS": set()}
    # Whom a change of so long ago affected is not known any more: then it is everybody.
    forgotten = bool(state.history) and state.history[0][0] > since + 1
    for generation, by_type in state.history:
        if generation > since:
            for short, names in by_type.items():
                changed[short] |= names
    clients: list[ClientSync] = []
    for client in state.clients:
        mine = [change for change in client.stream.changes if change.generation > since]
        if client.stream.node is None or not (mine or forgotten):
            continue
        for change in mine:
            changed[change.short] |= change.names
        verdict = _verdict(client, since, now)
        clients.append(
            {
                "id": client.stream.node.id,
                "state": verdict.state,
                "message": verdict.message,
                "resources": sorted({name for change in mine for name in change.names}),
            }
        )
    return {
        "generation": state.generation,
        "complete": all(client["state"] != "pending" for client in clients),
        "changed": {short: sorted(names) for short, names in changed.items()},
        "clients": sorted(clients, key=lambda client: client["id"]),
    }


def _verdict(client: Client, since: int, now: float) -> _Verdict:
    subscriptions = client.stream.subscriptions
    for known in subscriptions.values():
        if known.state == "refused" and known.generation_sent > since:
            return _Verdict("refused", known.last_refusal.message if known.last_refusal else None)
    for short, known in subscriptions.items():
        if known.state == "pending":
            return _Verdict("pending", f"has not answered {short} {known.version_sent}")
    missing = _unasked(client)
    if missing is not None and now - client.active < GRACE:
        return _Verdict("pending", f"has not asked for {missing} yet")
    return _Verdict("acknowledged")


def _unasked(client: Client) -> str | None:
    """Something the client was pointed to by what it accepted, and has not subscribed to."""
    subscriptions = client.stream.subscriptions
    for short, known in subscriptions.items():
        if known.state != "acknowledged":
            continue
        for resource in known.served.by_name.values():
            for other, name in references(short, resource):
                wanted = subscriptions.get(other)
                if wanted is None or not wanted.wants(name):
                    return f"{other} {name}"
    return None
