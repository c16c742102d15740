"""A document's envelope: apiVersion, kind, metadata; then its kind's parser."""

from __future__ import annotations

import re
from collections.abc import Callable

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import GROUP, VERSIONS, Inert, Meta, Object
from controlplane.parse import checks
from controlplane.parse.destinationrule import parse_destinationrule
from controlplane.parse.serviceentry import parse_serviceentry
from controlplane.parse.virtualservice import parse_virtualservice
from controlplane.parse.workload import parse_workloadentry
from controlplane.problems import Report
from controlplane.yamltree import Document

_PARSERS: dict[str, Callable[[Meta, Fields], Object]] = {
    "VirtualService": parse_virtualservice,
    "DestinationRule": parse_destinationrule,
    "ServiceEntry": parse_serviceentry,
    "WorkloadEntry": parse_workloadentry,
}
_INERT = ("Gateway", "EnvoyFilter", "ProxyConfig", "WorkloadGroup")
_NOT_SERVED = {
    "Sidecar": "Istiod hides services from clients by its egress hosts, which is not done here",
}
"""Kinds that change the routing of a gRPC client: kept without effect they would let it go astray."""
_METADATA = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
_API_VERSION = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?v\d+[a-z0-9]*")


def parse_document(document: Document, report: Report) -> Object | None:
    """The object of a document, or None with the reasons reported."""
    root = Fields(document.root, "", report)
    api_version = root.string("apiVersion")
    kind = root.string("kind")
    group, _, version = api_version.rpartition("/")
    if not api_version:
        root.error("apiVersion is required", "apiVersion")
    elif _API_VERSION.fullmatch(api_version) is None:
        root.error(f'"{api_version}" is no apiVersion', "apiVersion")
    elif group == GROUP and version not in VERSIONS:
        root.error(f"{GROUP} has no version {version}; it has {', '.join(VERSIONS)}", "apiVersion")
    if not kind:
        root.error("kind is required", "kind")
    elif group == GROUP and kind in _NOT_SERVED:
        root.error(f"a {kind} is not served: {_NOT_SERVED[kind]}", "kind")
    elif group == GROUP and kind not in _PARSERS and kind not in _INERT:
        known = ", ".join((*_PARSERS, *_INERT))
        root.error(f"{GROUP} has no kind {kind}; it has {known}", "kind")
    elif kind == "List" and not group:
        root.error("a List is not read; write its items as documents separated by ---", "kind")
    elif kind in _PARSERS and group != GROUP and api_version:
        root.error(f"a {kind} is of {GROUP}, not of {group or 'the core group'}", "apiVersion")
    meta = _metadata(root, kind, version)
    if report.errors:
        return None
    if group != GROUP or kind in _INERT:
        report.warn(root.line_at("kind"), "kind", f"{kind} has no effect here; it is kept")
        return Inert(meta, api_version)
    spec = root.child("spec")
    root.skip("status")
    root.close()
    if spec is None:
        if not root.has("spec"):
            root.error("spec is required", "spec")
        return None
    found = _PARSERS[kind](meta, spec)
    return None if report.errors else found


def _metadata(root: Fields, kind: str, version: str) -> Meta:
    metadata = root.child("metadata")
    if metadata is None:
        if not root.has("metadata"):
            root.error("metadata with a name is required", "metadata")
        return Meta(kind, version, names.DEFAULT_NAMESPACE, "", {}, "", "", 0, root.line)
    name = metadata.string("name")
    if not name:
        metadata.error("a name is required", "name")
    elif not names.is_object_name(name):
        metadata.error(f'"{name}" is no valid name: lower case letters, digits, - and . only', "name")
    namespace = metadata.string("namespace") or names.DEFAULT_NAMESPACE
    if not names.is_dns_label(namespace) or namespace != namespace.lower():
        metadata.error(f'"{namespace}" is no valid namespace', "namespace")
    labels = checks.check_labels(metadata, "labels")
    created = metadata.string("creationTimestamp")
    metadata.string_map("annotations")
    metadata.skip(*_METADATA)
    metadata.close()
    return Meta(
        kind=kind,
        version=version,
        namespace=namespace,
        name=name,
        labels=labels,
        created=created,
        file=root.report.file,
        document=root.report.document,
        line=root.line,
    )
