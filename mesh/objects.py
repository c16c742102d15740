"""Istio objects as the mesh keeps them: what kubectl would call resources, identified by kind and name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mesh import yamltext
from mesh.errors import MeshError
from mesh.inventory import NAMESPACE

Document = dict[str, Any]

# plural, short names and columns as Istio's CRDs declare them
KINDS: Mapping[str, tuple[str, ...]] = {
    "VirtualService": ("virtualservices", "vs"),
    "DestinationRule": ("destinationrules", "dr"),
    "ServiceEntry": ("serviceentries", "se"),
    "WorkloadEntry": ("workloadentries", "we"),
    "WorkloadGroup": ("workloadgroups", "wg"),
    "Gateway": ("gateways", "gw"),
    "Sidecar": ("sidecars",),
    "EnvoyFilter": ("envoyfilters",),
    "ProxyConfig": ("proxyconfigs",),
    "AuthorizationPolicy": ("authorizationpolicies", "ap"),
    "PeerAuthentication": ("peerauthentications", "pa"),
    "RequestAuthentication": ("requestauthentications", "ra"),
    "Telemetry": ("telemetries", "telemetry"),
    "WasmPlugin": ("wasmplugins",),
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
# Rules follow what they point at, so that a reader of the directory never meets a rule before its subsets.
_ORDER = ("ServiceEntry", "WorkloadEntry", "DestinationRule")


@dataclass(frozen=True, order=True)
class Ref:
    """Which object: a namespace may hold one object of each kind and name."""

    kind: str
    namespace: str
    name: str

    @property
    def filename(self) -> str:
        """The file that holds the object, `KIND.NAMESPACE.NAME.yaml`."""
        return f"{self.kind.lower()}.{self.namespace}.{self.name}.yaml"

    def as_dict(self) -> dict[str, str]:
        """As the control plane's admin interface names it."""
        return {"kind": self.kind, "namespace": self.namespace, "name": self.name}


@dataclass(frozen=True)
class MeshObject:
    """One object with its whole document."""

    ref: Ref
    document: Document

    @property
    def group(self) -> str:
        """The API group, `networking.istio.io`, say."""
        return str(self.document.get("apiVersion", "")).partition("/")[0]

    @property
    def title(self) -> str:
        """As kubectl names it: `virtualservice.networking.istio.io/reviews`."""
        return f"{self.ref.kind.lower()}.{self.group}/{self.ref.name}"

    def to_yaml(self) -> str:
        """The document as YAML that Istio takes."""
        return dump_yaml(self.document)


def is_name(text: str) -> bool:
    """Whether Kubernetes would take this as a name."""
    return _NAME.fullmatch(text) is not None


def dump_yaml(document: Any) -> str:
    """Block-style YAML in the order the document was written in."""
    return yamltext.dump(document)


def kind_named(text: str, others: Iterable[str] = ()) -> str:
    """The kind a user means by `vs`, `virtualservices` or `virtualservice.networking.istio.io`.

    `others` are kinds that go by their name alone: what the mesh only keeps.
    """
    wanted = text.partition(".")[0].lower()
    for kind, aliases in KINDS.items():
        if wanted == kind.lower() or wanted in aliases:
            return kind
    for kind in others:
        if wanted in (kind.lower(), f"{kind.lower()}s"):
            return kind
    known = ", ".join(sorted({kind.lower() for kind in (*KINDS, *others)}))
    raise MeshError(f"The mesh does not know the kind {text!r}; it knows {known}.")


def parse_objects(text: str, label: str, namespace: str = NAMESPACE) -> list[MeshObject]:
    """Every object in a YAML text of one or many documents; Kubernetes' `List` is opened.

    What names no namespace is of this one. Raises MeshError naming `label` and the place. Only identity is
    looked at here: whether the rules are sound is the control plane's to say.
    """
    try:
        documents = yamltext.load_all(text)
    except yamltext.YamlError as error:
        raise MeshError(f"{label} is not YAML: {error}.") from None
    found: list[MeshObject] = []
    for number, document in enumerate(documents, start=1):
        if document is None:
            continue
        where = label if len(documents) == 1 else f"{label}, document {number}"
        found.extend(_objects_in(document, where, namespace))
    return found


def _objects_in(document: object, where: str, namespace: str, depth: int = 0) -> Iterable[MeshObject]:
    if not isinstance(document, dict):
        raise MeshError(
            f"{where} is not an Istio object: a mapping with apiVersion, kind and metadata is needed."
        )
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        if depth:
            raise MeshError(f"{where} is a List, which a List cannot hold.")
        for index, item in enumerate(document["items"]):
            yield from _objects_in(item, f"{where}, item {index}", namespace, depth + 1)
        return
    yield read_object(document, where, namespace)


def read_object(document: Document, where: str, default: str = NAMESPACE) -> MeshObject:
    """One document as an object; the default namespace is written into it where it names none."""
    kind, metadata = document.get("kind"), document.get("metadata")
    if not isinstance(kind, str) or not kind:
        raise MeshError(f"{where} has no kind.")
    if not isinstance(document.get("apiVersion"), str):
        raise MeshError(f"{where} has no apiVersion.")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise MeshError(f"{where} has no metadata.name.")
    namespace = metadata.get("namespace") or default
    for field, value in (("name", metadata["name"]), ("namespace", namespace)):
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise MeshError(f"{where} has the metadata.{field} {value!r}; only a-z, 0-9, '-' and '.' fit.")
    if not re.fullmatch(r"[A-Za-z]+", kind):
        raise MeshError(f"{where} has the kind {kind!r}, which is no kind.")
    placed = {**document, "metadata": _with_namespace(metadata, namespace)}
    return MeshObject(Ref(kind, namespace, metadata["name"]), placed)


def _with_namespace(metadata: Document, namespace: str) -> Document:
    if metadata.get("namespace"):
        return metadata
    rest = {key: value for key, value in metadata.items() if key not in ("name", "namespace")}
    return {"name": metadata["name"], "namespace": namespace, **rest}


def has_list(text: str) -> bool:
    """Whether one of the documents is a Kubernetes `List`; the text must be YAML."""
    return any(isinstance(d, dict) and d.get("kind") == "List" for d in yamltext.load_all(text))


def in_order(objects: Iterable[MeshObject]) -> list[MeshObject]:
    """What others point at comes first; otherwise the order they came in."""
    return sorted(objects, key=lambda o: _ORDER.index(o.ref.kind) if o.ref.kind in _ORDER else len(_ORDER))
