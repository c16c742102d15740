"""Objects and a node to resources: a pure function, remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from controlplane.names import DOMAIN, ClusterKey, host_port, parse_cluster_key
from controlplane.node import Node
from controlplane.objects import Subset
from controlplane.registry import Registry, Service
from controlplane.translate.anys import pack
from controlplane.translate.clusters import build_cluster
from controlplane.translate.endpoints import build_assignment
from controlplane.translate.listeners import build_listener
from controlplane.translate.routes import build_route_configuration

TYPE_URLS: Mapping[str, str] = {
    "CDS": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "EDS": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "LDS": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "RDS": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}
"""Short names of the types in push order: what is referred to goes before what refers to it."""

SHORT_NAMES: Mapping[str, str] = {url: short for short, url in TYPE_URLS.items()}


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of one type that answer one subscription, by name, with the version of exactly these."""

    by_name: Mapping[str, Any]
    version: str

    @staticmethod
    def of(by_name: Mapping[str, Any]) -> Resources:
        """Resources with their version, which is a digest of names and bytes: same content, same version."""
        digest = hashlib.sha256()
        for name in sorted(by_name):
            value = by_name[name].value
            digest.update(f"{len(name)}:{name}{len(value)}:".encode())
            digest.update(value)
        return Resources(by_name, digest.hexdigest()[:12])

    def changed_from(self, other: Resources) -> frozenset[str]:
        """The names that came, went or changed since `other`."""
        mine, theirs = self.by_name, other.by_name
        names = mine.keys() | theirs.keys()
        return frozenset(
            n for n in names if n not in mine or n not in theirs or mine[n].value != theirs[n].value
        )


NOTHING = Resources.of({})


class View:
    """What clients of one identity are served; resources are built when first asked for."""

    def __init__(self, registry: Registry, node: Node) -> None:
        self._registry = registry
        self._node = node
        self._built: dict[tuple[str, str], Any | None] = {}

    def resources(self, short: str, names: Iterable[str], *, wildcard: bool = False) -> Resources:
        """The resources of a type, those that exist among `names`, or all there are for a wildcard."""
        found: dict[str, Any] = {}
        wanted = list(self.names(short)) if wildcard else []
        for name in (*wanted, *sorted(names)):
            for real_name in self._expand(short, name):
                if real_name not in found and (built := self._get(short, real_name)) is not None:
                    found[real_name] = built
        return Resources.of(found)

    def names(self, short: str) -> tuple[str, ...]:
        """Every name of a type that exists for this client."""
        services = self._registry.services(self._node.namespace)
        if short == "LDS":
            return tuple(host_port(s.host, p.number) for s in services for p in s.ports)
        if short == "RDS":
            return tuple(str(ClusterKey(p.number, "", s.host)) for s in services for p in s.ports)
        subsets = {s.host: ("", *(x.name for x in self._subsets(s.host))) for s in services}
        return tuple(
            str(ClusterKey(p.number, subset, s.host))
            for s in services
            for p in s.ports
            for subset in subsets[s.host]
        )

    def _expand(self, short: str, name: str) -> Iterable[str]:
        """A listener may be asked for without a port, which means one for every port."""
        if short != "LDS" or _split_port(name)[1] is not None:
            return (name,)
        service = self._service(name)
        return () if service is None else tuple(host_port(name, port.number) for port in service.ports)

    def _get(self, short: str, name: str) -> Any | None:
        key = (short, name)
        if key not in self._built:
            build: Mapping[str, Callable[[str], Message | None]] = {
                "LDS": self._listener,
                "RDS": self._route_configuration,
                "CDS": self._cluster,
                "EDS": self._assignment,
            }
            message = build[short](name)
            self._built[key] = None if message is None else pack(message)
        return self._built[key]

    def _service(self, host: str) -> Service | None:
        """The service of a host as a client may write it: `reviews` and `reviews.default` are completed."""
        for candidate in dict.fromkeys((host, *self._completed(host))):
            if service := self._registry.service(candidate, self._node.namespace):
                return service
        return None

    def _completed(self, host: str) -> Iterable[str]:
        namespace, domain = self._node.namespace, self._node.domain
        if "." not in host:
            yield f"{host}.{domain}"
        for suffix in (namespace, f"{namespace}.svc"):
            stem = host.removesuffix(f".{suffix}")
            if stem != host and domain.startswith(suffix):
                yield f"{stem}.{domain}"

    def _listener(self, name: str) -> Message | None:
        host, port = _split_port(name)
        service = self._service(host)
        if service is None or port is None or service.port(port) is None:
            return None
        listener: Message = build_listener(service, port, host)
        return listener

    def _route_configuration(self, name: str) -> Message | None:
        key = parse_cluster_key(name)
        if key is None:
            return None
        routes: Message = build_route_configuration(name, key, self._registry, self._node)
        return routes

    def _cluster(self, name: str) -> Message | None:
        key = parse_cluster_key(name)
        service = self._registry.service(key.host, self._node.namespace) if key else None
        if key is None or service is None or service.port(key.port) is None:
            return None
        if key.subset and all(subset.name != key.subset for subset in self._subsets(key.host)):
            return None
        cluster: Message = build_cluster(key, service, self._registry.rule(key.host, self._node))
        return cluster

    def _assignment(self, name: str) -> Message | None:
        key = parse_cluster_key(name)
        service = self._registry.service(key.host, self._node.namespace) if key else None
        rule = self._registry.rule(key.host, self._node) if key else None
        assignment: Message = build_assignment(name, key, service, rule, self._node)
        return assignment

    def _subsets(self, host: str) -> tuple[Subset, ...]:
        rule = self._registry.rule(host, self._node)
        return rule.subsets if rule else ()


class Snapshot:
    """One state of the configuration, for every client."""

    def __init__(self, registry: Registry, generation: int) -> None:
        self.registry = registry
        self.generation = generation
        self._views: dict[object, View] = {}

    def view(self, node: Node) -> View:
        """What this client is served; clients of the same identity share it."""
        labels = self.registry.labels_of(node.addresses, node.namespace)
        seen = node.with_labels(node.labels if labels is None else labels)
        if seen.view not in self._views:
            self._views[seen.view] = View(self.registry, seen)
        return self._views[seen.view]

    def anyone(self, namespace: str) -> View:
        """What a client of the namespace without labels would be served."""
        return self.view(Node("", namespace, f"{namespace}.svc.{DOMAIN}", (), {}))


def _split_port(name: str) -> tuple[str, int | None]:
    host, colon, port = name.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        return name, None
    return host.removeprefix("[").removesuffix("]"), int(port)
