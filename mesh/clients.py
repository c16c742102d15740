"""What the control plane says about its clients, brought together with the processes of the mesh."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mesh.admin import Admin, ControlPlaneGone, problem_line
from mesh.report import pod_of
from mesh.status import MeshStatus, ProcessStatus

View = Mapping[str, Any]
"""The answer of the control plane's /status."""

_POLL = 0.05
_WORST_FIRST = ("refused", "pending", "acknowledged")


def with_xds_state(processes: Sequence[ProcessStatus], view: View | None) -> tuple[ProcessStatus, ...]:
    """Each process with what the control plane says of its configuration."""
    states = client_states(view) if view is not None else {}
    return tuple(replace(p, xds=states.get(p.name.replace("/", "-"), "")) for p in processes)


def with_view(status: MeshStatus, view: View | None) -> MeshStatus:
    """The mesh's status with what the control plane says of itself."""
    if view is None:
        return status
    own = {process.name.replace("/", "-") for process in status.processes}
    strangers = sorted(set(client_states(view)) - own)
    return replace(
        status,
        generation=int(view["generation"]),
        objects=len(view["objects"]),
        clients=tuple(strangers),
        errors=tuple(problem_line(problem) for problem in view["errors"]),
        warnings=tuple(problem_line(problem) for problem in view["warnings"]),
    )


def client_states(view: View) -> dict[str, str]:
    """The state of each connected client by pod name."""
    return {pod_of(str(client["id"])): _client_state(client) for client in view["clients"]}


def _client_state(client: View) -> str:
    types = client["types"].values()
    nacks = [str(t["last_nack"]) for t in types if t.get("state") == "refused"]
    if nacks:
        return f"refused: {nacks[0]}"
    states = {str(t.get("state")) for t in types}
    return next((state for state in _WORST_FIRST if state in states), "connected")


async def wait_connected(admin: Admin, expected: set[str], timeout: float) -> set[str]:
    """Wait until all these pods are connected; the ones that are not after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    missing = set(expected)
    while missing:
        try:
            missing = expected - set(client_states(await admin.status()))
        except ControlPlaneGone:
            missing = set(expected)
        if not missing or loop.time() > deadline:
            break
        await asyncio.sleep(_POLL)
    return missing
