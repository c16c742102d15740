"""VirtualService, by the rules of Istio's `ValidateVirtualService`."""

from __future__ import annotations

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import Destination, HttpRoute, Meta, Place, VirtualService
from controlplane.parse import checks
from controlplane.parse.fault import parse_fault
from controlplane.parse.match import parse_match
from controlplane.parse.retries import parse_retries

_UNSERVED = (
    "rewrite",
    "redirect",
    "directResponse",
    "mirror",
    "mirrors",
    "mirrorPercent",
    "mirrorPercentage",
    "headers",
    "corsPolicy",
    "delegate",
)


def parse_virtualservice(meta: Meta, spec: Fields) -> VirtualService:
    """Read the `spec` of a VirtualService."""
    gateways = _gateways(spec, meta)
    in_mesh = not gateways or "mesh" in gateways
    spec.report.inert = not in_mesh
    hosts = spec.placed_strings("hosts")
    _check_hosts(spec, hosts, in_mesh)
    spec.unserved("tcp", "tls")
    if not spec.has("http") and not spec.has("tcp") and not spec.has("tls"):
        spec.error("needs http (or tcp or tls) routes", "http")
    routes = tuple(_route(route, meta) for route in spec.children("http"))
    if spec.has("http") and not routes and not spec.report.errors:
        spec.error("needs at least one route", "http")
    checks.export_to(spec)
    spec.close()
    _warn_unreachable(spec, routes)
    return VirtualService(
        meta=meta,
        hosts=tuple(names.resolve(text, meta.namespace).lower() for text, _, _ in hosts),
        gateways=gateways,
        http=routes,
        host_places=tuple(Place(path, line) for _, path, line in hosts),
    )


def _gateways(spec: Fields, meta: Meta) -> tuple[str, ...]:
    found = []
    for text, path, line in spec.placed_strings("gateways"):
        namespace, slash, name = text.rpartition("/")
        if slash and not (names.is_dns_label(namespace) and names.is_dns_label(name)):
            spec.report.error(line, path, f'"{text}" must be a gateway name or namespace/name')
        elif not slash and (wrong := names.wrong_fqdn(text)):
            spec.report.error(line, path, wrong)
        found.append(text if slash or text == "mesh" else f"{meta.namespace}/{text}")
    return tuple(found)


def _check_hosts(spec: Fields, hosts: list[tuple[str, str, int]], in_mesh: bool) -> None:
    if not hosts and not spec.report.inert:
        # Without hosts it is a delegate, which only a route's `delegate` could reach.
        spec.error("needs at least one host (delegates are not served yet)", "hosts")
    for index, (host, path, line) in enumerate(hosts):
        wrong = names.wrong_host(host)
        if wrong is not None and not names.is_ip(host):
            spec.report.error(line, path, wrong)
        elif host == "*" and in_mesh:
            message = "the wildcard host * is not allowed for virtual services bound to the mesh"
            spec.report.error(line, path, message)
        for other, _, _ in hosts[:index]:
            if names.matches(other, host):
                spec.report.error(line, path, f"duplicate hosts: {other} and {host}")


def _route(route: Fields, meta: Meta) -> HttpRoute:
    name = route.string("name")
    matches = tuple(parse_match(match, meta) for match in route.children("match"))
    route.unserved(*_UNSERVED)
    destinations = tuple(_destination(item, meta) for item in route.children("route"))
    if not destinations and not any(route.has(other) for other in ("redirect", "directResponse", "delegate")):
        route.error("needs a route with at least one destination", "route" if route.has("route") else "")
    if len(destinations) > 1 and not sum(destination.weight for destination in destinations):
        route.error("the weights of the destinations add up to 0", "route")
    fault = parse_fault(route)
    retries = parse_retries(route)
    timeout = route.duration("timeout")
    route.close()
    return HttpRoute(
        name=name,
        matches=matches,
        destinations=destinations,
        timeout=timeout,
        retries=retries,
        fault=fault,
        place=Place(route.path, route.line),
    )


def _destination(item: Fields, meta: Meta) -> Destination:
    item.unserved("headers")
    weight = item.integer("weight")
    if weight is not None and weight < 0:
        item.error(f"weight {weight} is below 0", "weight")
    host, subset, port = "", "", 0
    place = Place(item.path, item.line)
    destination = item.child("destination")
    if destination is None:
        if not item.has("destination"):
            item.error("a destination is required", "destination")
    else:
        host = destination.string("host")
        if host == "*":
            destination.error("invalid destination host *", "host")
        else:
            checks.check(destination, "host", names.wrong_host(host))
        subset = destination.string("subset")
        if subset and not names.is_dns_label(subset):
            destination.error(f'invalid subset name "{subset}"', "subset")
        port = _port(destination)
        destination.close()
        place = Place(destination.path, destination.line_at("host"))
    item.close()
    return Destination(names.resolve(host, meta.namespace).lower(), subset, port, max(weight or 0, 0), place)


def _port(destination: Fields) -> int:
    port = destination.child("port")
    if port is None:
        return 0
    number = port.integer("number", minimum=0)
    checks.check(port, "number", names.wrong_port(number or 0))
    port.close()
    return number or 0


def _warn_unreachable(spec: Fields, routes: tuple[HttpRoute, ...]) -> None:
    """Istio warns, and applies: rules behind one that takes every call are never reached."""
    for index, route in enumerate(routes):
        if route.matches:
            continue
        for later in routes[index + 1 :]:
            message = f"never reached: http[{index}] has no match and takes every call"
            spec.report.warn(later.place.line, later.place.field, message)
        return
