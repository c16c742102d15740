"""The mesh as the page shows it: services, versions, instances, and how base is split. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from console.acting.fault_list import Fault, faults_of
from console.acting.weights import weights_of
from lanes.landscape import Known, Landscape, LaneError
from lanes.store import Member
from mesh.inventory import CONTROL_PLANE, SERVICES
from mesh.status import ALIVE, MeshStatus, ProcessStatus

_BLIND = "no instance has an admin port of its own, so neither requests nor what clients hold can be shown"

_FROM_PROCESSES = (
    "what is shown here is what the processes of this cluster say of themselves; its objects are not read, "
    "so there is no YAML, and it is not known when a lane ends, whom the door leads to it, how base is "
    "split, and which lanes no client was told of",
)
OUT_OF_REACH = "out of reach"
"""The state of a workload that does not answer: whether it runs is not known."""


def base_weights(landscape: Landscape, service: Known) -> tuple[dict[str, int] | None, str]:
    """How calls of no lane are split among versions, in percent; None and why where it is not as simple."""
    try:
        return weights_of(landscape, service.name), ""
    except LaneError as error:
        return None, str(error)


def machine_view(status: MeshStatus, landscape: Landscape, members: Sequence[Member]) -> dict[str, Any]:
    """What is shown of a mesh on this machine."""
    plane = next((p for p in status.processes if p.name == CONTROL_PLANE), None)
    return {
        "page": f"{status.url}/productpage",
        "control_plane": {"phase": plane.phase if plane else "stopped", "address": status.xds_address},
        "services": _services(status.processes, landscape, members),
        "limits": [*status.limits, *([] if any(p.admin for p in status.processes) else [_BLIND])],
    }


def _services(
    processes: Iterable[ProcessStatus], landscape: Landscape, members: Sequence[Member]
) -> list[dict[str, Any]]:
    instances: dict[str, list[dict[str, Any]]] = {service.name: [] for service in SERVICES}
    shown: set[str] = set()
    for process in processes:
        service, slash, version = process.name.partition("/")
        if slash:
            shown.add(process.name)
            instances.setdefault(service, []).append(_instance(process, version))
    for waiting in (each for service in SERVICES if service.on_demand for each in service.instances):
        if str(waiting) not in shown:
            never = ProcessStatus(str(waiting), "", "stopped")
            instances[waiting.service].append(_instance(never, waiting.version))
    for member in members:
        if member.name not in shown:  # somebody else announced it
            instances.setdefault(member.service, []).append(member_json(member))
    known = {service.name: service for service in landscape.services}
    return [_split(name, there, known.get(name), landscape) for name, there in instances.items() if there]


def _split(
    name: str, instances: list[dict[str, Any]], known: Known | None, landscape: Landscape
) -> dict[str, Any]:
    base, why_not = (None, "it was never started") if known is None else base_weights(landscape, known)
    if known is not None and known.door:
        base, why_not = None, "it is called from outside the mesh, where no rule splits calls"
    faults = [] if known is None or known.door else faults_of(landscape, known)
    return _service(name, instances, base, why_not, faults)


def _service(
    name: str,
    instances: list[dict[str, Any]],
    base: dict[str, int] | None,
    why_not: str,
    faults: Iterable[Fault] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "versions": sorted({instance["version"] for instance in instances}),
        "base": base,
        "why_not": why_not,
        "faults": [fault.to_json() for fault in faults],
        "instances": instances,
    }


def _instance(process: ProcessStatus, version: str) -> dict[str, Any]:
    return {
        "name": process.name,
        "version": version,
        "phase": process.phase,
        "state": process.text,
        "address": process.address,
        "admin": process.admin or None,
        "pid": process.pid,
        "startable": process.phase not in ALIVE,
    }


def member_json(member: Member, admin: str | None = None) -> dict[str, Any]:
    """A workload that is no process of the mesh's own."""
    return {
        "name": member.name,
        "version": member.version,
        "phase": "ready" if member.ready else "stopped",
        "state": member.state,
        "address": member.address,
        "admin": admin,
        "pid": None,
        "startable": False,
    }


def cluster_view(
    members: Iterable[Member],
    admins: Mapping[str, str],
    servers: set[str],
    landscape: Landscape | None = None,
) -> dict[str, Any]:
    """What is shown of a cluster; `admins` are the addresses of processes that answer.

    Without a landscape nothing is known of it but what these processes say.
    """
    by_service: dict[str, list[dict[str, Any]]] = {}
    for member in members:
        there = member_json(member, admins.get(member.name))
        if not member.ready:
            there["phase"] = "unknown" if member.state == OUT_OF_REACH else "waiting"
        by_service.setdefault(member.service, []).append(there)
    known = {service.name: service for service in landscape.services} if landscape else {}
    return {
        "page": "",
        "control_plane": {"phase": "ready" if servers else "unknown", "address": ", ".join(sorted(servers))},
        "services": [
            _split(name, there, known.get(name), landscape)
            if landscape
            else _service(name, there, None, "how base is split stands in objects, which are not read here")
            for name, there in sorted(by_service.items())
        ],
        "limits": list(_FROM_PROCESSES) if landscape is None else [],
    }
