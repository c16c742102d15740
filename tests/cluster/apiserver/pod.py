"""A Pod as a process of this machine: its environment and its volumes, read as a kubelet reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
_VARIABLE = re.compile(r"\$\$|\$\((\w+)\)")
_LABEL = re.compile(r"metadata\.labels\['(.+)'\]")


def container_of(pod: Object) -> Object:
    """The one container of a Pod of bookinfo."""
    [container] = pod["spec"]["containers"]
    return dict(container)


def environment_of(pod: Object, ip: str, folders: Mapping[str, str]) -> dict[str, str]:
    """Its variables, with `$(OTHER)` replaced; paths below a mounted folder lead to where that is here."""
    found: dict[str, str] = {}
    for each in container_of(pod).get("env") or ():
        if "value" in each:
            found[each["name"]] = _expanded(each["value"], found)
        elif "fieldRef" in (each.get("valueFrom") or {}):
            found[each["name"]] = _field(pod, ip, each["valueFrom"]["fieldRef"]["fieldPath"])
    for name, value in found.items():
        for inside, here in folders.items():
            if value == inside or value.startswith(f"{inside}/"):
                found[name] = here + value.removeprefix(inside)
    return found


def _expanded(text: str, known: Mapping[str, str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        return "$" if match[1] is None else known.get(match[1], match[0])

    return _VARIABLE.sub(replaced, text)


def _field(pod: Object, ip: str, path: str) -> str:
    if path == "status.podIP":
        return ip
    if (label := _LABEL.fullmatch(path)) is not None:
        return str(pod["metadata"].get("labels", {}).get(label[1], ""))
    value: Any = pod
    for step in path.split("."):
        value = (value or {}).get(step)
    return str(value or "")


def mounts_of(pod: Object) -> dict[str, Object]:
    """The volumes by the folder in which the container finds them."""
    volumes = {each["name"]: each for each in pod["spec"].get("volumes") or ()}
    mounts = container_of(pod).get("volumeMounts") or ()
    return {each["mountPath"].rstrip("/"): volumes[each["name"]] for each in mounts}


def status_of(
    pod: Object, ip: str, node_ip: str, now: str, *, waiting: Object | None, restarts: int
) -> Object:
    """What a kubelet says of a Pod: that it runs and is ready, or what it waits for."""
    container = container_of(pod)
    ready = waiting is None
    state = {"running": {"startedAt": now}} if waiting is None else {"waiting": waiting}
    truth = "True" if ready else "False"
    conditions = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": truth, "Ready": truth}
    return {
        "phase": "Running" if ready or restarts else "Pending",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "hostIP": node_ip,
        "hostIPs": [{"ip": node_ip}],
        "startTime": now,
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": container["image"],
                "ready": ready,
                "started": ready,
                "restartCount": restarts,
                "state": state,
            }
        ],
        "conditions": [
            {"type": kind, "status": status, "lastTransitionTime": now} for kind, status in conditions.items()
        ],
    }
