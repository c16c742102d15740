"""Small worlds of Istio YAML for the control plane's tests."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from controlplane.loader import load_texts
from controlplane.registry import Registry
from controlplane.snapshot import Snapshot

SERVICES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 9080, name: grpc, protocol: GRPC}]
  workloadSelector: {labels: {app: reviews}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v1, namespace: default}
spec:
  address: 127.0.1.1
  ports: {grpc: 9080}
  labels: {app: reviews, version: v1}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v2, namespace: default}
spec:
  address: 127.0.1.2
  labels: {app: reviews, version: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""

World = Callable[..., Snapshot]


@pytest.fixture
def services_yaml() -> str:
    """Reviews with two versions and a subset for each."""
    return SERVICES


@pytest.fixture
def world() -> World:
    """A snapshot of texts, over the reviews service; the texts must be sound."""

    def build(*texts: str, services: str = SERVICES, generation: int = 1) -> Snapshot:
        files = {f"{index}.yaml": dedent(text) for index, text in enumerate((services, *texts))}
        loaded = load_texts(files)
        assert not loaded.errors, [str(error) for error in loaded.errors]
        return Snapshot(Registry(loaded.objects), generation)

    return build
