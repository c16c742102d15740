"""What the API server lists, as lanes see it: services, workloads, rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lanes.landscape import Document, Known, maps, spec_of
from lanes.marks import DOOR_LABEL, EXPIRES, LANE_LABEL
from lanes.render import MANAGED_BY
from lanes.store import Member

_KEPT = ("name", "namespace", "labels", "annotations", "creationTimestamp")
_NOISE = "kubectl.kubernetes.io/last-applied-configuration"
# https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
_GRPC = ("grpc", "http2", "kubernetes.io/h2c")
_WITHOUT_ROUTES = ("tcp", "tls", "udp", "mongo", "mysql", "redis")
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Listed:
    """The objects of a namespace at one moment, as the API server gives them."""

    rules: Sequence[Document] = ()
    services: Sequence[Document] = ()
    deployments: Sequence[Document] = ()
    pods: Sequence[Document] = ()


def labels_of(document: Document) -> Mapping[str, str]:
    """The labels of an object."""
    return document["metadata"].get("labels") or {}


def is_ours(document: Document) -> bool:
    """Whether lanes have made an object."""
    return MANAGED_BY.items() <= labels_of(document).items()


def lane_of_workload(deployment: Document) -> str:
    """The lane that lanes started a Deployment for; empty for those of others."""
    return str(labels_of(deployment).get(LANE_LABEL) or "") if is_ours(deployment) else ""


def plain(document: Document) -> Document:
    """An object as somebody would write it, without what the API server keeps for itself."""
    metadata = document["metadata"]
    kept = {name: metadata[name] for name in _KEPT if metadata.get(name)}
    annotations = {name: value for name, value in (kept.get("annotations") or {}).items() if name != _NOISE}
    kept.pop("annotations", None)
    if annotations:
        kept["annotations"] = annotations
    rest: Document = {name: document[name] for name in ("spec", "data") if name in document}
    return {"apiVersion": document["apiVersion"], "kind": document["kind"], "metadata": kept, **rest}


def selector_of(service: Document) -> Mapping[str, str]:
    """By which labels a Service selects its pods; empty for one that selects none."""
    return spec_of(service).get("selector") or {}


def selected(service: Document, labels: Mapping[str, str]) -> bool:
    """Whether a Service selects a pod with these labels."""
    selector = selector_of(service)
    return bool(selector) and selector.items() <= labels.items()


def services_known(services: Sequence[Document]) -> list[Known]:
    """The services that lanes may have versions of: those that select pods and can be routed by header."""
    found = []
    for service in services:
        ports = [
            port
            for port in maps(spec_of(service).get("ports"))
            if port.get("protocol", "TCP") == "TCP" and _protocol(port) not in _WITHOUT_ROUTES
        ]
        if selector_of(service) and ports:
            numbers = tuple(int(port["port"]) for port in ports)
            metadata = service["metadata"]
            grpc = any(_protocol(port) in _GRPC for port in ports)
            found.append(Known(metadata["name"], metadata["namespace"], numbers, grpc))
    doors = _doors(services, found)
    return [replace(each, door=True) if each.name in doors else each for each in found]


def _doors(services: Sequence[Document], known: Iterable[Known]) -> set[str]:
    """By which services requests come in: those with the label, else the only one that speaks HTTP."""
    labelled = {each["metadata"]["name"] for each in services if labels_of(each).get(DOOR_LABEL) == "true"}
    http = {each.name for each in known if not each.grpc}
    return labelled & http if labelled else http if len(http) == 1 else set()


def _protocol(port: Document) -> str:
    named = str(port.get("name") or "").partition("-")[0]
    return str(port.get("appProtocol") or named).lower()


def template_labels(deployment: Document) -> Mapping[str, str]:
    """The labels of a Deployment's pods."""
    return spec_of(deployment).get("template", {}).get("metadata", {}).get("labels") or {}


def members_of(listed: Listed) -> list[Member]:
    """Every pod of a service that has a version and stays; and what lanes started that has no pod yet.

    Of services that lanes may have versions of: another that selects the same pods finds them but once more.
    """
    found: list[Member] = []
    known = {each.name for each in services_known(listed.services)}
    for service in listed.services:
        name = str(service["metadata"]["name"])
        if name not in known:
            continue
        ours = {
            template_labels(each).get("version"): each
            for each in listed.deployments
            if lane_of_workload(each) and selected(service, template_labels(each))
        }
        seen = set()
        for pod in listed.pods:
            version = labels_of(pod).get("version")
            if not version or not selected(service, labels_of(pod)) or is_leaving(pod):
                continue
            seen.add(version)
            found.append(_member(name, version, pod, ours.get(version)))
        for version, deployment in ours.items():
            if version not in seen:
                image, expires = _started(deployment, name)
                title = str(deployment["metadata"]["name"])
                found.append(Member(name, str(version), title, "", False, "no pod", image, expires))
    return found


def deployed_in(listed: Listed) -> dict[str, dict[str, int]]:
    """How many pods there are by service and version, without those of lanes.

    A Deployment without a pod counts as many as it asks for; the version is empty where a pod tells none.
    """
    found: dict[str, dict[str, int]] = {}
    for service in listed.services:
        pods = Counter(
            labels_of(pod).get("version", "")
            for pod in listed.pods
            if selected(service, labels_of(pod)) and LANE_LABEL not in labels_of(pod) and not is_leaving(pod)
        )
        wanted = Counter[str]()
        for each in listed.deployments:
            if selected(service, template_labels(each)) and not lane_of_workload(each):
                wanted[template_labels(each).get("version", "")] += spec_of(each).get("replicas", 1)
        found[service["metadata"]["name"]] = {**{v: n for v, n in wanted.items() if n}, **pods}
    return found


def _member(service: str, version: str, pod: Document, ours: Document | None) -> Member:
    image, expires = _started(ours, service) if ours is not None else ("", "")
    address = str((pod.get("status") or {}).get("podIP") or "")
    ready = is_ready(pod)
    return Member(
        service, version, str(pod["metadata"]["name"]), address, ready, state_of(pod), image, expires
    )


def _started(deployment: Document, service: str) -> tuple[str, str]:
    """The image that lanes started, and when it ends."""
    annotations = deployment["metadata"].get("annotations") or {}
    image = str(container_of(deployment, service).get("image") or "?")
    return image, str(annotations.get(EXPIRES) or "")


def container_of(deployment: Document, service: str) -> Document:
    """The container that is the service: the one of its name, else the first."""
    containers = maps(deployment["spec"]["template"]["spec"]["containers"])
    return next((each for each in containers if each.get("name") == service), containers[0])


def is_leaving(pod: Document) -> bool:
    """Whether a pod has ended or is about to: it is nobody's any more."""
    ended = (pod.get("status") or {}).get("phase") in _ENDED
    return ended or bool(pod["metadata"].get("deletionTimestamp"))


def is_ready(pod: Document) -> bool:
    """Whether a pod gets calls."""
    if is_leaving(pod):
        return False
    conditions = maps((pod.get("status") or {}).get("conditions"))
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def state_of(pod: Document) -> str:
    """How a pod does, in a few words: `ready`, `ImagePullBackOff`, `Pending` …"""
    status: Mapping[str, Any] = pod.get("status") or {}
    if is_ready(pod):
        return "ready"
    reason = _waiting(status)[0]
    if reason:
        return reason
    return "not ready" if status.get("phase") == "Running" else str(status.get("phase") or "Pending")


def why_not_ready(pod: Document) -> str:
    """The same with what is known of the cause."""
    status: Mapping[str, Any] = pod.get("status") or {}
    reason, message = _waiting(status)
    if not message:
        unscheduled = [
            str(each.get("message") or "")
            for each in maps(status.get("conditions"))
            if each.get("type") == "PodScheduled" and each.get("status") == "False"
        ]
        message = next(iter(unscheduled), "")
    name = pod["metadata"]["name"]
    return f"pod {name}: {reason or state_of(pod)}{f': {message}' if message else ''}"


def _waiting(status: Mapping[str, Any]) -> tuple[str, str]:
    """Why a container does not run, and what is said of it."""
    every = [*maps(status.get("initContainerStatuses")), *maps(status.get("containerStatuses"))]
    for each in every:
        waiting = (each.get("state") or {}).get("waiting")
        if waiting:
            return str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    return "", ""
