"""How the mesh looks: the status table, the objects table, the plain lines for where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mesh.objects import MeshObject
from mesh.status import MeshStatus, ProcessStatus

_STYLES: Mapping[str, str] = {
    "ready": "green",
    "starting": "yellow",
    "draining": "yellow",
    "died": "bold red",
    "killed": "red",
    "stopped": "dim",
}
_XDS_STYLES: Mapping[str, str] = {"acknowledged": "green", "refused": "bold red", "pending": "yellow"}


def status_view(status: MeshStatus) -> RenderableType:
    """The whole status for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("INSTANCE", "ADDRESS", "STATE", "PID", "CONFIGURATION"):
        table.add_column(column, no_wrap=column != "CONFIGURATION")
    for process in status.processes:
        table.add_row(
            process.name,
            process.address,
            Text(process.text, style=_STYLES[process.phase]),
            str(process.pid or "-"),
            Text(process.xds or "-", style=_XDS_STYLES.get(process.xds.partition(":")[0], "dim")),
        )
    return Group(*(Text(line) for line in headline(status)), "", table, *(_note(n) for n in notes(status)))


def headline(status: MeshStatus) -> list[str]:
    """Where to look, and what the control plane holds."""
    if status.generation is None:
        rules = "does not answer"
    else:
        rules = f"{status.objects} objects, generation {status.generation}"
    return [
        f"mesh           {status.phase}",
        f"page           {status.url}/productpage",
        *([f"lane console   {status.url}/mesh"] if status.console else []),
        f"control plane  {status.xds_address} ({rules})",
        f"state          {status.state}",
    ]


def notes(status: MeshStatus) -> list[str]:
    """What a person should know beside the table."""
    guests = [f"guest: {p.name} runs {p.command}" for p in status.processes if p.command]
    clients = [f"client: {name}" for name in status.clients]
    limits = [f"limit: {limit}" for limit in status.limits]
    errors = [f"error: {error}" for error in status.errors]
    return guests + clients + limits + errors + [f"warning: {warning}" for warning in status.warnings]


def change_line(process: ProcessStatus) -> str:
    """One change of one process, for where there is no terminal."""
    pid = f" (process {process.pid})" if process.phase == "ready" and process.pid else ""
    return f"{process.name} {process.text} {process.address}{pid}"


def objects_view(objects: Iterable[MeshObject]) -> Table:
    """Objects as kubectl lists them, with the columns that tell most."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NAMESPACE", "KIND", "NAME", "ABOUT"):
        table.add_column(column, no_wrap=column != "ABOUT")
    for item in objects:
        table.add_row(item.ref.namespace, item.ref.kind, item.ref.name, Text(about(item)))
    return table


def about(item: MeshObject) -> str:
    """The one thing to know of an object; empty for kinds that the mesh only keeps."""
    spec = item.document.get("spec")
    if not isinstance(spec, dict):
        return ""
    describe = {
        "VirtualService": _about_virtual_service,
        "DestinationRule": _about_destination_rule,
        "ServiceEntry": _about_service_entry,
        "WorkloadEntry": _about_workload_entry,
    }.get(item.ref.kind)
    return describe(spec) if describe else ""


def _about_virtual_service(spec: dict[str, Any]) -> str:
    routes = _dicts(spec.get("http"))
    parts = [_route(route) for route in routes]
    return f"{_joined(spec.get('hosts'))}: {'; '.join(parts)}" if parts else _joined(spec.get("hosts"))


def _route(route: dict[str, Any]) -> str:
    targets = []
    for entry in _dicts(route.get("route")):
        destination = entry.get("destination")
        destination = destination if isinstance(destination, dict) else {}
        name = str(destination.get("subset") or destination.get("host") or "?")
        targets.append(f"{name} {entry['weight']}%" if "weight" in entry else name)
    action = ", ".join(targets) or "no destination"
    if route.get("fault"):
        action += " with a fault"
    return f"matched → {action}" if route.get("match") else f"→ {action}"


def _about_destination_rule(spec: dict[str, Any]) -> str:
    subsets = ", ".join(str(subset.get("name")) for subset in _dicts(spec.get("subsets")))
    return f"{spec.get('host')}: subsets {subsets}" if subsets else str(spec.get("host"))


def _about_service_entry(spec: dict[str, Any]) -> str:
    ports = ", ".join(f"{port.get('number')}/{port.get('protocol')}" for port in _dicts(spec.get("ports")))
    return f"{_joined(spec.get('hosts'))}: {ports}"


def _about_workload_entry(spec: dict[str, Any]) -> str:
    labels = spec.get("labels")
    shown = ", ".join(f"{key}={value}" for key, value in labels.items()) if isinstance(labels, dict) else ""
    return f"{spec.get('address')}: {shown}"


def _joined(values: object) -> str:
    return ", ".join(map(str, values)) if isinstance(values, Sequence) and not isinstance(values, str) else ""


def _dicts(values: object) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _note(text: str) -> Text:
    return Text(text, style="red" if text.startswith("error") else "yellow")
