"""Lane specs → Istio YAML objects: one VirtualService and one DestinationRule per host. Pure."""

from __future__ import annotations

import re
from typing import Any

from lanes.baggage import HEADER
from lanes.context import BASE
from lanes.spec import Lane, MeshSpec, Mode, Service, SpecError

API_VERSION = "networking.istio.io/v1"
MANAGED_BY = {"app.kubernetes.io/managed-by": "lanes"}

_OWS = r"[ \t]*"
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


def lane_regex(key: str, lane: str) -> str:
    """The RE2 regex whose full matches are exactly the baggage headers with a member `key`=`lane`.

    Members are what stands between commas, so no other member can imitate this one; blanks around `,` `;` `=`
    and properties are allowed, as in https://www.w3.org/TR/baggage/#header-content.
    """
    member = rf"{_OWS}{_escape(key)}{_OWS}={_OWS}{_escape(lane)}{_OWS}(?:;[^,]*)?"
    return rf"(?:[^,]*,)*{member}(?:,[^,]*)*"


def render(spec: MeshSpec) -> list[dict[str, Any]]:
    """The objects that put the spec into force: per service its DestinationRule, then its VirtualService.

    Lanes come by name, so the order of the spec never matters and no lane shadows another; base comes last.
    """
    objects: list[dict[str, Any]] = []
    for service in sorted(spec.services, key=lambda s: s.name):
        lanes = sorted(spec.lanes, key=lambda lane: lane.name)
        objects.append(_destination_rule(spec, service, lanes))
        objects.append(_virtual_service(spec, service, lanes))
    return objects


def _escape(text: str) -> str:
    return _META.sub(r"\\\g<0>", text)


def _metadata(spec: MeshSpec, name: str) -> dict[str, Any]:
    place = {} if spec.namespace is None else {"namespace": spec.namespace}
    return {"name": name, **place, "labels": dict(MANAGED_BY)}


def _destination_rule(spec: MeshSpec, service: Service, lanes: list[Lane]) -> dict[str, Any]:
    versions = {*service.versions, *(version for version, _ in service.weights)}
    versions |= {lane.versions[service.name] for lane in lanes if service.name in lane.versions}
    by_subset: dict[str, str] = {}
    for version in sorted(versions):
        if (other := by_subset.setdefault(subset_name(version), version)) != version:
            raise SpecError(f"service {service.name}: versions {other} and {version} share a subset name")
    subsets = [{"name": subset_name(version), "labels": {"version": version}} for version in sorted(versions)]
    return {
        "apiVersion": API_VERSION,
        "kind": "DestinationRule",
        "metadata": _metadata(spec, service.name),
        "spec": {"host": service.name, "subsets": subsets},
    }


def _virtual_service(spec: MeshSpec, service: Service, lanes: list[Lane]) -> dict[str, Any]:
    routes = [route for lane in lanes for route in _lane_routes(spec, service, lane)]
    routes.append({"name": BASE, "route": _base_destinations(service)})
    return {
        "apiVersion": API_VERSION,
        "kind": "VirtualService",
        "metadata": _metadata(spec, service.name),
        "spec": {"hosts": [service.name], "http": routes},
    }


def _lane_routes(spec: MeshSpec, service: Service, lane: Lane) -> list[dict[str, Any]]:
    match = [{"headers": {HEADER: {"regex": lane_regex(spec.key, lane.name)}}}]
    routes: list[dict[str, Any]] = []
    version = lane.versions.get(service.name)
    if version is not None:
        destination = {"destination": _destination(service, version)}
        routes.append({"name": f"lane-{lane.name}", "match": match, "route": [destination]})
    if lane.mode is Mode.STRICT:
        # Istio wants a destination even where every call is aborted. Base, not the lane's own: a client that
        # skips routes without a usable endpoint would skip this one with it, and serve the call from base.
        destination = {"destination": _destination(service, service.main_version)}
        abort = {"percentage": {"value": 100}, "grpcStatus": "UNAVAILABLE"}
        routes.append(
            {
                "name": f"lane-{lane.name}-strict",
                "match": match,
                "fault": {"abort": abort},
                "route": [destination],
            }
        )
    return routes


def _base_destinations(service: Service) -> list[dict[str, Any]]:
    weights = service.weights
    if len(weights) == 1:
        return [{"destination": _destination(service, weights[0][0])}]
    return [{"destination": _destination(service, v), "weight": weight} for v, weight in weights]


def _destination(service: Service, version: str) -> dict[str, Any]:
    return {"host": service.name, "subset": subset_name(version), "port": {"number": service.port}}


def subset_name(version: str) -> str:
    """The version as a subset's name."""
    # Subset names are DNS labels for Istio, label values are not bound to be.
    return re.sub(r"[^a-z0-9-]", "-", version.lower())
