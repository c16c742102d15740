"""Objects of Kubernetes as its API server gives them."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
NAMESPACE = "shop"


def service(name: str, *ports: Object, **metadata: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
        "spec": {"selector": {"app": name}, "ports": list(ports) or [{"name": f"grpc-{name}", "port": 9080}]},
    }


def deployment(name: str, app: str, version: str, image: str = "bookinfo:1", **metadata: Any) -> Object:
    labels = {"app": app, "version": version}
    container = {"name": app, "image": image, "env": [{"name": "SERVICE_VERSION", "value": version}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, **metadata},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def pod(name: str, app: str, version: str, *, ready: bool = True, **status: Any) -> Object:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": app, "version": version}},
        "spec": {"containers": [{"name": app, "ports": [{"name": "http", "containerPort": 9080}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": conditions, **status},
    }


def virtual_service(name: str, *routes: Object, **metadata: Any) -> Object:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
        "spec": {"hosts": [name], "http": list(routes)},
    }


def destination_rule(name: str, *versions: str) -> Object:
    subsets = [{"name": version, "labels": {"version": version}} for version in versions]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"host": name, "subsets": subsets},
    }


def to(name: str, version: str, weight: int | None = None) -> Object:
    """A destination."""
    found: Object = {"destination": {"host": name, "subset": version, "port": {"number": 9080}}}
    return found if weight is None else {**found, "weight": weight}
