"""References to what does not exist: applied, as in Istio, and worth a warning."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane import names
from controlplane.objects import (
    Destination,
    DestinationRule,
    Object,
    Place,
    ServiceEntry,
    Subset,
    VirtualService,
    WorkloadEntry,
)
from controlplane.problems import Problem
from controlplane.registry import Registry


def check_references(objects: Iterable[Object]) -> list[Problem]:
    """Warn of hosts without a service, subsets without a rule, selectors and subsets that select nothing."""
    registry = Registry(objects)
    found: list[Problem] = []
    for thing in registry.objects:
        if isinstance(thing, VirtualService) and thing.in_mesh:
            found += _virtual_service(thing, registry) if thing.hosts else _routes(thing, registry)
        elif isinstance(thing, VirtualService):
            places = thing.host_places or (Place("spec.gateways", thing.meta.line),)
            message = "is bound to gateways only and has no effect here; it is kept"
            found.append(_warning(thing, Place("spec.gateways", places[0].line), message))
        elif isinstance(thing, DestinationRule):
            found += _destination_rule(thing, registry)
        elif isinstance(thing, ServiceEntry):
            found += _service_entry(thing, registry)
    return found


def _warning(thing: Object, place: Place, message: str) -> Problem:
    return Problem(thing.meta.file, thing.meta.document, place.line, place.field, message)


def _virtual_service(thing: VirtualService, registry: Registry) -> list[Problem]:
    namespace = thing.meta.namespace
    found = []
    for host, place in zip(thing.hosts, thing.host_places, strict=True):
        services = registry.services(namespace)
        if not any(names.matches(host, service.host) for service in services):
            found.append(
                _warning(thing, place, f"no ServiceEntry gives {host}; the rule applies to nothing yet")
            )
        seen = registry.virtual_services_for(namespace)
        winner = next((other for other in seen if host in other.hosts), thing)
        if winner.meta.key != thing.meta.key:
            message = f"VirtualService {winner.meta.namespace}/{winner.meta.name} comes first for {host}"
            found.append(_warning(thing, place, message))
    return found + _routes(thing, registry)


def _routes(thing: VirtualService, registry: Registry) -> list[Problem]:
    """Warn of what the routes lead to and is not there."""
    known = {one.meta.key for one in registry.objects if isinstance(one, VirtualService) and not one.hosts}
    found = []
    for route in thing.http:
        mirrors = (*((route.mirror,) if route.mirror else ()), *route.mirrors)
        for destination in (*route.destinations, *(mirror.destination for mirror in mirrors)):
            if warning := _destination(thing, destination, registry):
                found.append(warning)
        if route.delegate is not None and ("VirtualService", *route.delegate) not in known:
            namespace, name = route.delegate
            place = Place(f"{route.place.field}.delegate", route.place.line)
            message = f"no VirtualService {namespace}/{name} without hosts; the route is left out"
            found.append(_warning(thing, place, message))
    return found


def _destination(thing: VirtualService, destination: Destination, registry: Registry) -> Problem | None:
    path, line = destination.place.field, destination.place.line
    service = registry.service(destination.host, thing.meta.namespace)
    if service is None:
        message = f"no ServiceEntry gives {destination.host}; calls sent there fail"
        return _warning(thing, Place(f"{path}.host", line), message)
    if destination.port and service.port(destination.port) is None:
        message = f"{destination.host} has no port {destination.port}; calls sent there fail"
        return _warning(thing, Place(f"{path}.port.number", line), message)
    subsets = registry.subsets(service, thing.meta.namespace)
    if destination.subset and all(subset.name != destination.subset for subset in subsets):
        message = f"no DestinationRule gives {destination.host} a subset {destination.subset}"
        return _warning(thing, Place(f"{path}.subset", line), message)
    return None


def _destination_rule(thing: DestinationRule, registry: Registry) -> list[Problem]:
    services = [s for s in registry.services(thing.meta.namespace) if names.matches(thing.host, s.host)]
    if not services:
        message = f"no ServiceEntry gives {thing.host}; the rule applies to nothing yet"
        return [_warning(thing, thing.host_place, message)]
    found = []
    for subset in thing.subsets:
        if other := _same_subset(thing, subset, registry):
            message = f"DestinationRule {other.meta.name} gives {thing.host} a subset {subset.name} first"
            found.append(_warning(thing, Place(f"{subset.place.field}.name", subset.place.line), message))
        wanted = subset.labels.items()
        workloads = [endpoint.workload.labels for service in services for endpoint in service.endpoints]
        if workloads and not any(wanted <= labels.items() for labels in workloads):
            place = Place(f"{subset.place.field}.labels", subset.place.line)
            found.append(_warning(thing, place, f"no endpoint of {thing.host} has these labels yet"))
    return found


def _same_subset(thing: DestinationRule, subset: Subset, registry: Registry) -> DestinationRule | None:
    for other in registry.objects:
        if other is thing:
            return None
        if (
            isinstance(other, DestinationRule)
            and (other.host, other.meta.namespace) == (thing.host, thing.meta.namespace)
            and any(subset.name == theirs.name for theirs in other.subsets)
        ):
            return other
    return None


def _service_entry(thing: ServiceEntry, registry: Registry) -> list[Problem]:
    if thing.selector is None:
        return []
    wanted = thing.selector.items()
    for other in registry.objects:
        if (
            isinstance(other, WorkloadEntry)
            and other.meta.namespace == thing.meta.namespace
            and wanted <= other.workload.labels.items()
        ):
            return []
    return [_warning(thing, thing.selector_place, "selects no WorkloadEntry yet")]
