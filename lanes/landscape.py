"""The Istio objects around lanes: which VirtualService and DestinationRule count for a service. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Document = dict[str, Any]

NAMESPACE = "default"
DOMAIN = "svc.cluster.local"
MESH_GATEWAY = "mesh"
VIRTUAL_SERVICE = "VirtualService"
DESTINATION_RULE = "DestinationRule"


class LaneError(Exception):
    """What cannot be done to a lane; the message is one sentence that names the culprit."""


@dataclass(frozen=True, order=True, slots=True)
class Key:
    """Which object: a namespace holds one object of each kind and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Known:
    """A service that lanes can have a version of."""

    name: str
    namespace: str = NAMESPACE
    ports: tuple[int, ...] = ()
    grpc: bool = True
    """Whether it speaks gRPC; else HTTP, which rules decide over where callers use `proxyless.http`."""
    door: bool = False
    """Whether it speaks HTTP with those outside the mesh, who ask no control plane."""

    @property
    def host(self) -> str:
        """The name by which its clients call it."""
        return f"{self.name}.{self.namespace}.{DOMAIN}"

    def written_in(self, namespace: str) -> str:
        """Its host as an object of this namespace writes it."""
        return self.name if namespace == self.namespace else self.host

    def destination(self, namespace: str, subset: str | None = None) -> Document:
        """Where a route of this namespace sends its calls; the port only where there is no other."""
        found: Document = {"host": self.written_in(namespace)}
        if subset is not None:
            found["subset"] = subset
        if len(self.ports) == 1:
            found["port"] = {"number": self.ports[0]}
        return found


@dataclass(frozen=True, slots=True)
class Landscape:
    """All objects by key, the services that lanes may hold versions of, and the member naming the lane."""

    objects: dict[Key, Document] = field(default_factory=dict)
    services: tuple[Known, ...] = ()
    lane_key: str = "env"
    deployed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By service and version, how many workloads there are that were not started for a lane; a version is
    empty where a workload tells none."""

    @classmethod
    def of(
        cls,
        documents: Iterable[Document],
        services: Sequence[Known],
        lane_key: str = "env",
        deployed: Mapping[str, Mapping[str, int]] | None = None,
    ) -> Landscape:
        """The landscape of these objects; a service given twice counts once."""
        by_name = {service.name: service for service in services}
        ordered = tuple(by_name[name] for name in sorted(by_name))
        return cls({key_of(document): document for document in documents}, ordered, lane_key, deployed or {})

    def service(self, name: str) -> Known:
        """The service of this name; LaneError lists what there is."""
        for service in self.services:
            if service.name == name:
                return service
        known = ", ".join(service.name for service in self.services) or "none"
        raise LaneError(f"There is no service {name!r} in this mesh; there are {known}.")

    def of_kind(self, kind: str) -> list[tuple[Key, Document]]:
        """The objects of a kind in Istio's order: by creation time, then name, then namespace."""
        found = [(key, document) for key, document in self.objects.items() if key.kind == kind]
        return sorted(found, key=lambda pair: (_created(pair[1]), pair[0].name, pair[0].namespace))


def key_of(document: Document) -> Key:
    """The identity of an object."""
    metadata = document["metadata"]
    return Key(str(document["kind"]), str(metadata.get("namespace") or NAMESPACE), str(metadata["name"]))


def spec_of(document: Document) -> Document:
    """The spec of an object, empty where there is none."""
    spec = document.get("spec")
    return spec if isinstance(spec, dict) else {}


def maps(value: object) -> list[Document]:
    """The mappings of a list; nothing where it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def resolved(host: object, namespace: str) -> str:
    """A host in full, as Istio reads it in an object of this namespace."""
    text = str(host).lower()
    return text if "." in text or "*" in text else f"{text}.{namespace}.{DOMAIN}"


def virtual_service_for(landscape: Landscape, service: Known) -> Key | None:
    """The VirtualService that lanes of this service go into, None where there is none.

    LaneError where the one that counts is not for this service alone.
    """
    exact: list[Key] = []
    wild: list[tuple[Key, str]] = []
    for key, document in landscape.of_kind(VIRTUAL_SERVICE):
        spec = spec_of(document)
        gateways = spec.get("gateways")
        if isinstance(gateways, list) and gateways and MESH_GATEWAY not in gateways:
            continue
        for host in spec.get("hosts") or ():
            full = resolved(host, key.namespace)
            if full == service.host:
                exact.append(key)
            elif full.startswith("*") and service.host.endswith(full[1:]):
                wild.append((key, str(host)))
    if exact:
        found = min(exact, key=lambda key: key.namespace != service.namespace)
        return _fit(found, landscape.objects[found], service)
    if wild:
        key, host = wild[0]
        raise LaneError(
            f"{key} covers {service.name} by the host {host!r}; a lane needs a VirtualService of "
            f"{service.name}'s own, so write one with the routes that are to stay below the lanes'."
        )
    return None


def _fit(key: Key, document: Document, service: Known) -> Key:
    spec = spec_of(document)
    hosts = spec.get("hosts") or ()
    if len({resolved(host, key.namespace) for host in hosts}) > 1:
        raise LaneError(
            f"{key} is for several hosts ({', '.join(map(str, hosts))}), so a lane's routes would hit them "
            f"all; give {service.name} a VirtualService of its own."
        )
    if not isinstance(spec.get("http"), list):
        raise LaneError(f"{key} has no http routes, so a lane cannot go above them.")
    return key


def destination_rules_for(landscape: Landscape, service: Known) -> list[Key]:
    """The DestinationRules whose subsets count for this service, its own namespace's first."""
    found = [
        key
        for key, document in landscape.of_kind(DESTINATION_RULE)
        if resolved(spec_of(document).get("host"), key.namespace) == service.host
        and not spec_of(document).get("workloadSelector")
    ]
    return sorted(found, key=lambda key: key.namespace != service.namespace)


def subsets_of(landscape: Landscape, service: Known) -> dict[str, Document]:
    """The subsets of a service by name; the first of a name counts."""
    found: dict[str, Document] = {}
    for key in destination_rules_for(landscape, service):
        for subset in maps(spec_of(landscape.objects[key]).get("subsets")):
            found.setdefault(str(subset.get("name")), subset)
    return found


def version_of(subset: Document | None) -> str | None:
    """The version that a subset selects, None unless it selects by version alone."""
    labels = (subset or {}).get("labels")
    if isinstance(labels, dict) and set(labels) == {"version"}:
        return str(labels["version"])
    return None


def _created(document: Document) -> str:
    return str(document["metadata"].get("creationTimestamp") or "")


def annotated(metadata: Document, change: Callable[[dict[str, str]], dict[str, str]]) -> Document:
    before = metadata.get("annotations") or {}
    after = change(before)
    if after == before:
        return metadata
    if after:
        return {**metadata, "annotations": after}
    return {name: value for name, value in metadata.items() if name != "annotations"}


def replaced(landscape: Landscape, key: Key, document: Document) -> Landscape:
    return replace(landscape, objects={**landscape.objects, key: document})


def without(landscape: Landscape, key: Key) -> Landscape:
    return replace(landscape, objects={k: d for k, d in landscape.objects.items() if k != key})
