"""Where requests come in, and where the door's rules are kept, as the objects of a namespace say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lanes.cluster.reading import (
    Listed,
    container_of,
    is_ready,
    labels_of,
    selected,
    services_known,
    template_labels,
)
from lanes.landscape import Document, LaneError, maps, spec_of
from lanes.marks import DOOR_LABEL

RULES_VARIABLE = "DOOR_RULES"


@dataclass(frozen=True, slots=True)
class RulesPlace:
    """The ConfigMap from which the door reads its rules, and the key in it."""

    config_map: str
    key: str


def door_service(listed: Listed) -> Document:
    """The Service by which requests come in: the one with the label, or the only one that speaks HTTP."""
    labelled = [each for each in listed.services if labels_of(each).get(DOOR_LABEL) == "true"]
    http = {known.name for known in services_known(listed.services) if not known.grpc}
    found = labelled or [each for each in listed.services if each["metadata"]["name"] in http]
    if len(found) == 1:
        return found[0]
    names = ", ".join(str(each["metadata"]["name"]) for each in found) or "none"
    raise LaneError(
        f"Which Service is the door? Of those that speak HTTP there are {names}; the label {DOOR_LABEL}=true "
        "on one tells."
    )


def door_pods(listed: Listed, service: Document) -> list[Document]:
    """The pods behind the door that take requests."""
    return [each for each in listed.pods if selected(service, labels_of(each)) and is_ready(each)]


def target_port(service: Document, pod: Document) -> int:
    """The port of a pod that the first port of its Service leads to."""
    port = maps(spec_of(service).get("ports"))[0]
    target: Any = port.get("targetPort", port["port"])
    if str(target).isdigit():
        return int(target)
    for container in maps(spec_of(pod).get("containers")):
        for each in maps(container.get("ports")):
            if each.get("name") == target:
                return int(each["containerPort"])
    raise LaneError(f"The pod {pod['metadata']['name']} has no port of the name {target!r}.")


def rules_place(listed: Listed, service: Document) -> RulesPlace:
    """The ConfigMap behind the door's DOOR_RULES; LaneError where it reads no rules."""
    name = str(service["metadata"]["name"])
    for deployment in listed.deployments:
        if selected(service, template_labels(deployment)):
            found = _mounted(deployment, name)
            if found is not None:
                return found
    raise LaneError(
        f"The Deployments of {name} mount no ConfigMap for {RULES_VARIABLE}, so the door reads no rules."
    )


def _mounted(deployment: Document, service: str) -> RulesPlace | None:
    container = container_of(deployment, service)
    path = next((each.get("value") for each in _env(container) if each.get("name") == RULES_VARIABLE), None)
    folder, _, key = str(path or "").rpartition("/")
    volumes = {
        each.get("name"): (each.get("configMap") or {}).get("name")
        for each in maps(deployment["spec"]["template"]["spec"].get("volumes"))
    }
    for mount in maps(container.get("volumeMounts")):
        config_map = volumes.get(mount.get("name"))
        if config_map and folder == str(mount.get("mountPath")).rstrip("/"):
            return RulesPlace(str(config_map), key)
    return None


def _env(container: Document) -> Sequence[Document]:
    return maps(container.get("env"))
