"""The Deployment of a lane's own version: the one that serves base, with another image and name. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from lanes.cluster.reading import container_of, labels_of, lane_of_workload, selected, template_labels
from lanes.landscape import (
    Document,
    Known,
    Landscape,
    LaneError,
    maps,
    resolved,
    subsets_of,
    version_of,
    virtual_service_for,
)
from lanes.marks import CLONE_OF, EXPIRES, LANE_LABEL
from lanes.own import owner_of, routes_of
from lanes.render import MANAGED_BY

_VERSION_VARIABLE = "SERVICE_VERSION"
# What says whose the base is: Helm, Argo CD and their like are not to take the clone for theirs.
_OWNERS_LABELS = ("helm.sh/chart", "app.kubernetes.io/instance")
_OTHERS_ANNOTATIONS = ("kubectl.kubernetes.io/restartedAt",)


def name_of(service: str, version: str) -> str:
    """The name of a version's Deployment."""
    return f"{service}-{version}"


def base_deployment(
    landscape: Landscape, service: Known, service_object: Document, deployments: Iterable[Document]
) -> Document:
    """The Deployment that serves most of who is in no lane; LaneError where there is none to clone."""
    candidates = [
        each
        for each in deployments
        if selected(service_object, template_labels(each)) and not lane_of_workload(each)
    ]
    # By age, and by name among those made together.
    candidates.sort(key=lambda each: (str(each["metadata"].get("creationTimestamp")), _name(each)))
    wanted = base_version(landscape, service)
    fitting = [each for each in candidates if wanted in (None, template_labels(each).get("version"))]
    if not fitting:
        version = f" {wanted}" if wanted else ""
        there = ", ".join(map(_name, candidates)) or "none"
        raise LaneError(
            f"There is no Deployment of {service.name}{version} to clone, which serves base; of "
            f"{service.name} there are {there}."
        )
    return fitting[0]


def base_version(landscape: Landscape, service: Known) -> str | None:
    """The version that gets most calls of no lane; None where rules name none."""
    key = virtual_service_for(landscape, service)
    open_to_all = next(
        (
            route
            for route in routes_of(landscape, service)
            if owner_of(route, landscape.lane_key) is None and not route.get("match")
        ),
        None,
    )
    if key is None or open_to_all is None:
        return None
    entries = sorted(maps(open_to_all.get("route")), key=lambda entry: -int(entry.get("weight") or 0))
    for entry in entries[:1]:
        destination = entry.get("destination") or {}
        if resolved(destination.get("host"), key.namespace) == service.host:
            return version_of(subsets_of(landscape, service).get(str(destination.get("subset"))))
    return None


def cloned(base: Document, service: str, lane: str, image: str, expires: str) -> Document:
    """A Deployment of one replica that runs the image as the lane's version of the service."""
    before = template_labels(base).get("version")
    spec = copy.deepcopy(base["spec"])
    for name in ("paused", "revisionHistoryLimit"):
        spec.pop(name, None)
    spec["replicas"] = 1
    selector = spec["selector"]
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), "version": lane}
    template = spec["template"]
    own = {"version": lane, LANE_LABEL: lane}
    _relabel(template, own)
    template["metadata"].pop("creationTimestamp", None)
    container = container_of({"spec": spec}, service)
    container["image"] = image
    for variable in maps(container.get("env")):
        # Where it is not taken from the label, which is right by itself.
        if variable.get("name") == _VERSION_VARIABLE and "value" in variable:
            variable["value"] = lane
    _select(template["spec"], before, lane)
    labels = {name: value for name, value in labels_of(base).items() if name not in _OWNERS_LABELS}
    annotations = {CLONE_OF: _name(base)} | ({EXPIRES: expires} if expires else {})
    metadata = {
        "name": name_of(service, lane),
        "namespace": base["metadata"]["namespace"],
        "labels": {**labels, **MANAGED_BY, **own},
        "annotations": annotations,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def with_image(deployment: Document, service: str, image: str, expires: str) -> Document:
    """A Deployment that lanes started, with another image and another end."""
    changed = copy.deepcopy(deployment)
    container_of(changed, service)["image"] = image
    return with_end(changed, expires)


def with_end(deployment: Document, expires: str) -> Document:
    """A Deployment that lanes started, with another end; empty for none."""
    metadata = deployment["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != EXPIRES}
    if expires:
        annotations[EXPIRES] = expires
    return {**deployment, "metadata": {**metadata, "annotations": annotations}}


def _relabel(template: Document, own: Document) -> None:
    metadata = template.setdefault("metadata", {})
    labels = dict(metadata.get("labels") or {})
    if MANAGED_BY.keys() & labels.keys():
        labels |= MANAGED_BY
    metadata["labels"] = {**labels, **own}
    kept = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in _OTHERS_ANNOTATIONS}
    metadata.pop("annotations", None)
    if kept:
        metadata["annotations"] = kept


def _select(node: Any, before: str | None, after: str) -> None:
    """Have what selects the base's own pods (spreading, affinity) select the clone's instead."""
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _select(each, before, after)
    if isinstance(node, dict) and isinstance(node.get("labelSelector"), dict):
        labels = node["labelSelector"].get("matchLabels")
        if isinstance(labels, dict) and before is not None and labels.get("version") == before:
            labels["version"] = after


def _name(deployment: Document) -> str:
    return str(deployment["metadata"]["name"])
