"""Places: region, zone and sub-zone, and the labels Istio derives from them."""

from __future__ import annotations

from collections.abc import Mapping

REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
SUB_ZONE_LABEL = "topology.istio.io/subzone"
CLUSTER_LABEL = "topology.istio.io/cluster"
LOCALITY_LABEL = "istio-locality"

CLUSTER_ID = "Kubernetes"

Place = tuple[str, str, str]


def split(locality: str) -> Place:
    """`region/zone/sub-zone` in its parts, "" for what is missing."""
    region, zone, sub_zone, *_ = (*locality.split("/"), "", "")
    return region, zone, sub_zone


def of_label(labels: Mapping[str, str]) -> str:
    """The locality a label names; it has dots for slashes, which a label value cannot hold."""
    text = labels.get(LOCALITY_LABEL, "")
    return text if "/" in text else text.replace(".", "/")


def of_labels(labels: Mapping[str, str]) -> str:
    """The locality that labels name, "" where they name none; the topology labels go first."""
    parts = [labels.get(label) for label in (REGION_LABEL, ZONE_LABEL, SUB_ZONE_LABEL)]
    if any(part is not None for part in parts):
        return "/".join(part or "" for part in parts).rstrip("/")
    return of_label(labels)


def augmented(labels: Mapping[str, str], locality: str, cluster: str = CLUSTER_ID) -> dict[str, str]:
    """Labels with those that say where it is (Istio's `AugmentLabels`)."""
    region, zone, sub_zone = split(locality)
    derived = {REGION_LABEL: region, ZONE_LABEL: zone, SUB_ZONE_LABEL: sub_zone, CLUSTER_LABEL: cluster}
    return {**labels, **{key: value for key, value in derived.items() if value}}
