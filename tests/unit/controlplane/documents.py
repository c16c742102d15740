"""Documents to be refused or taken: small, each of one object."""

from __future__ import annotations

from controlplane.loader import load_texts
from controlplane.problems import Problem

HEAD = {
    "VirtualService": "hosts: [reviews]",
    "DestinationRule": "host: reviews",
    "ServiceEntry": "hosts: [a.example.com]\nresolution: STATIC",
    "WorkloadEntry": "address: 127.0.0.9",
}


def document(kind: str, spec: str, head: bool = True) -> str:
    body = (HEAD[kind] + "\n" if head else "") + spec
    indented = "\n".join("  " + line for line in body.strip("\n").splitlines())
    meta = "metadata:\n  name: thing\n"
    return f"apiVersion: networking.istio.io/v1\nkind: {kind}\n{meta}spec:\n{indented}\n"


def route(text: str) -> str:
    """A VirtualService of one route, with these lines in it."""
    indented = "\n".join("  " + line for line in text.strip("\n").splitlines())
    return document("VirtualService", f"http:\n- route: [{{destination: {{host: reviews}}}}]\n{indented}")


def match(text: str) -> str:
    indented = "\n".join("  " + line for line in text.strip("\n").splitlines())
    return route(f"match:\n-{indented[1:]}")


def errors_of(text: str) -> tuple[Problem, ...]:
    # A harmless document before it, so that document numbers are seen to count.
    first = document("WorkloadEntry", "").replace("thing", "first")
    return load_texts({"rules.yaml": f"{first}---\n{text}"}).errors


VS = "VirtualService"
DR = "DestinationRule"
SE = "ServiceEntry"
WE = "WorkloadEntry"
