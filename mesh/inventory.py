"""What the mesh consists of: the bookinfo services and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mesh.errors import NotFound

NAMESPACE = "default"
SERVICE_PORT = 9080
CONTROL_PLANE = "controlplane"
CONSOLE = "console"


@dataclass(frozen=True, order=True)
class Instance:
    """One version of one service, running as a process of its own."""

    service: str
    version: str

    def __str__(self) -> str:
        return f"{self.service}/{self.version}"

    @property
    def pod(self) -> str:
        """The name a pod would have in a cluster."""
        return f"{self.service}-{self.version}"

    @property
    def labels(self) -> dict[str, str]:
        """The workload labels by which rules select this instance."""
        return {"app": self.service, "version": self.version}


@dataclass(frozen=True)
class Service:
    """A service: the port name tells the protocol, as in Istio."""

    name: str
    port_name: str
    versions: tuple[str, ...]
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Which services each version calls; a version that calls none needs no xDS client."""
    on_demand: bool = False
    """Its instances are started one by one, by name; the mesh begins without them and their ServiceEntry."""

    @property
    def host(self) -> str:
        """The name by which the other services call this one."""
        return f"{self.name}.{NAMESPACE}.svc.cluster.local"

    @property
    def instances(self) -> tuple[Instance, ...]:
        """One instance a version."""
        return tuple(Instance(self.name, version) for version in self.versions)


BOOKINFO: tuple[Service, ...] = (
    Service("productpage", "http", ("v1",), {"v1": ("details", "reviews", "ratings")}),
    Service("reviews", "grpc", ("v1", "v2", "v3"), {"v2": ("ratings",), "v3": ("ratings",)}),
    Service("ratings", "grpc", ("v1", "v2")),
    Service("details", "grpc", ("v1", "v2")),
)
DELIVERY = Service("delivery", "http", ("v1", "v2"), {"v1": ("details",), "v2": ("details",)}, on_demand=True)
"""An HTTP service in the middle of a chain."""
SERVICES: tuple[Service, ...] = (*BOOKINFO, DELIVERY)
"""All that the one-machine mesh knows; a cluster has BOOKINFO."""
FRONT_DOOR = Instance("productpage", "v1")


def instances_of(services: tuple[Service, ...]) -> tuple[Instance, ...]:
    """Every instance of these services, in their order."""
    return tuple(instance for service in services for instance in service.instances)


def on_demand(services: tuple[Service, ...]) -> tuple[Instance, ...]:
    """Those of them that are started by name only."""
    return instances_of(tuple(service for service in services if service.on_demand))


def calls_others(services: tuple[Service, ...], instance: Instance) -> bool:
    """Whether this instance is a client of the mesh."""
    return any(s.name == instance.service and s.calls.get(instance.version) for s in services)


def find_instance(known: Sequence[Instance], text: str) -> Instance:
    """The instance a user means by `SERVICE/VERSION`; the version may be left out where there is only one."""
    name, _, version = text.partition("/")
    matching = [i for i in known if i.service == name and version in ("", i.version)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        choices = ", ".join(map(str, matching))
        raise NotFound(f"{name} has several versions; say which of {choices}.")
    choices = ", ".join((*map(str, known), CONTROL_PLANE))
    raise NotFound(f"There is no instance {text!r} in this mesh; there are {choices}.")
