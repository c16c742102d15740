"""What the cluster is made of, in which version."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

CLUSTER = "bookinfo"
CONTEXT = f"kind-{CLUSTER}"
NAMESPACE = "bookinfo"
RELEASE = "bookinfo"
IMAGE = "bookinfo"
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
CHART = ROOT / "deploy/helm/bookinfo"
LANE_TESTS = "tests/cluster/test_lanes_in_a_cluster.py"

# The release that docs/istiod.md compares with; its charts are Istio's own.
ISTIO = "1.29.6"
ISTIO_CHARTS = "https://istio-release.storage.googleapis.com/charts"
ISTIO_NAMESPACE = "istio-system"
