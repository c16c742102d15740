"""Istio documents in few words."""

from __future__ import annotations

import textwrap

GROUP = "networking.istio.io/v1"


def document(kind: str, name: str, spec: str, namespace: str = "default", metadata: str = "") -> str:
    """One document; `spec` is the YAML below `spec`, `metadata` more of its flow mapping."""
    more = f", {metadata}" if metadata else ""
    return (
        f"apiVersion: {GROUP}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}{more}}}\n"
        f"spec:\n{textwrap.indent(textwrap.dedent(spec).strip(), '  ')}\n"
    )


def virtual_service(
    routes: str, name: str = "reviews", hosts: str = "[reviews]", namespace: str = "default", more: str = ""
) -> str:
    """A VirtualService; `routes` is the YAML list below `http`, `more` goes above it."""
    body = textwrap.indent(textwrap.dedent(routes).strip(), "  ")
    return document("VirtualService", name, f"hosts: {hosts}\n{more}\nhttp:\n{body}", namespace)


def service(
    host: str, app: str = "", ports: str = "[{number: 9080, name: grpc, protocol: GRPC}]", more: str = ""
) -> str:
    """A ServiceEntry for a short name of `default` or a full host, its endpoints by the label `app`."""
    full = host if "." in host else f"{host}.default.svc.cluster.local"
    app = app or host.partition(".")[0]
    return document(
        "ServiceEntry",
        app,
        f"hosts: [{full}]\nlocation: MESH_INTERNAL\nresolution: STATIC\nports: {ports}\n"
        f"workloadSelector: {{labels: {{app: {app}}}}}\n{more}",
    )


def workload(app: str, version: str, address: str, more: str = "") -> str:
    """A WorkloadEntry of `app`."""
    spec = f"address: {address}\nlabels: {{app: {app}, version: {version}}}\n{more}"
    return document("WorkloadEntry", f"{app}-{version}", spec)


def subsets(host: str, versions: str = "v1 v2 v3", more: str = "") -> str:
    """A DestinationRule with a subset for each version."""
    each = ", ".join(f"{{name: {v}, labels: {{version: {v}}}}}" for v in versions.split())
    return document("DestinationRule", host, f"host: {host}\nsubsets: [{each}]\n{more}")


def join(*documents: str) -> str:
    """Documents as one text."""
    return "---\n".join(documents)


SERVICES = join(
    service("reviews"),
    service("ratings"),
    service("details"),
    *(workload("reviews", f"v{i}", f"127.0.1.{i}", "ports: {grpc: 9080}") for i in (1, 2, 3)),
    *(workload("ratings", f"v{i}", f"127.0.2.{i}") for i in (1, 2)),
    workload("details", "v1", "127.0.3.1"),
)
"""Three services of one port each, with versions."""

WORLD = join(SERVICES, subsets("reviews"), subsets("ratings", "v1 v2"))
"""The services and their subsets."""
