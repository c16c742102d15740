"""What lanes write into an object that is there: their own fields and no others. Pure.

Server-side apply leaves in place what is left out but somebody else has set as well, so what is to go is
compared with the answer, and taken out by name.
"""

from __future__ import annotations

from typing import Any

from lanes.cluster.resource import DEPLOYMENT_KIND
from lanes.expiry import is_expiry
from lanes.landscape import DESTINATION_RULE, VIRTUAL_SERVICE, Document, spec_of
from lanes.marks import EXPIRES

_FIELDS = {VIRTUAL_SERVICE: "http", DESTINATION_RULE: "subsets"}


def own_fields(document: Document) -> Document:
    """The apply configuration of what lanes have a say in, of a document as it is to be."""
    kind, metadata = document["kind"], document["metadata"]
    found: Document = {
        "apiVersion": document["apiVersion"],
        "kind": kind,
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
    }
    annotations = {name: value for name, value in _annotations(document).items() if _is_ours(name)}
    if annotations:
        found["metadata"]["annotations"] = annotations
    if kind == DEPLOYMENT_KIND:
        containers = spec_of(document)["template"]["spec"]["containers"]
        named = [{"name": each["name"], "image": each["image"]} for each in containers]
        found["spec"] = {"template": {"spec": {"containers": named}}}
    elif _FIELDS[kind] in spec_of(document):
        found["spec"] = {_FIELDS[kind]: spec_of(document)[_FIELDS[kind]]}
    return found


def leftovers(wanted: Document, answer: Document) -> Document | None:
    """A merge patch that takes out what is ours in the answer and not wanted; None where there is nothing."""
    patch: Document = {}
    extra = {name for name in _annotations(answer) if _is_ours(name)} - _annotations(wanted).keys()
    if extra:
        patch["metadata"] = {"annotations": dict.fromkeys(sorted(extra))}
    field = _FIELDS.get(wanted["kind"])
    if field in spec_of(answer) and field not in spec_of(wanted):
        patch["spec"] = {field: None}
    return patch or None


def _annotations(document: Document) -> dict[str, Any]:
    return document["metadata"].get("annotations") or {}


def _is_ours(annotation: str) -> bool:
    return is_expiry(annotation) or annotation == EXPIRES
