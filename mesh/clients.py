"""What the control plane says about its clients, brought together with the processes of the mesh."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mesh.admin import Admin, ControlPlaneGone, problem_line
from mesh.report import pod_of
from mesh.status import MeshStatus, ProcessStatus

View = Mapping[str, Any]
"""The answer of the control plane's /status."""

_POLL = 0.05
_LOOKS_WITHOUT_ENDPOINTS = 20
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
    types = client["types"]
    for short, known in types.items():
        if known["state"] == "refused":
            return f"refused: {short}: {known['last_nack']['message']}"
    states = {str(known["state"]) for known in types.values()}
    return next((state for state in _WORST_FIRST if state in states), "connected")


class Settling:
    """Decides from one look after another whether clients have come and have all they will ask for.

    Nobody says that a client has asked its last question: LDS leads to RDS, to CDS, to EDS. So a client
    counts when it has answered everything and two looks in a row find the same; one without endpoints, for
    which the rules may well give no cluster, has to stay the same for longer.
    """

    def __init__(self, expected: Iterable[str]) -> None:
        self._expected = sorted(expected)
        self._last: dict[str, tuple[object, int]] = {}

    def unsettled(self, view: View | None) -> dict[str, str]:
        """What each client that has not settled yet lacks, by pod name."""
        lacking: dict[str, str] = {}
        clients = {pod_of(str(client["id"])): client for client in view["clients"]} if view else {}
        for pod in self._expected:
            client = clients.get(pod)
            if client is None:
                self._last.pop(pod, None)
                lacking[pod] = "is not connected to the control plane"
                continue
            state = _client_state(client)
            seen, times = self._last.get(pod, (None, 0))
            times = times + 1 if seen == client["types"] else 1
            self._last[pod] = (client["types"], times)
            if state != "acknowledged":
                lacking[pod] = f"has not taken its configuration ({state})"
            elif times < (2 if "EDS" in client["types"] else _LOOKS_WITHOUT_ENDPOINTS):
                lacking[pod] = "is still asking for configuration"
        return lacking


async def wait_settled(admin: Admin, expected: Iterable[str], timeout: float) -> dict[str, str]:
    """Wait until these pods have taken their configuration; what each lacks after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    settling = Settling(expected)
    while True:
        try:
            lacking = settling.unsettled(await admin.status())
        except ControlPlaneGone:
            lacking = settling.unsettled(None)
        if not lacking or loop.time() > deadline:
            return lacking
        await asyncio.sleep(_POLL)
