"""VirtualService, by the rules of Istio's `ValidateVirtualService`."""

from __future__ import annotations

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import HttpRoute, Meta, Place, VirtualService
from controlplane.parse.exports import parse_exports
from controlplane.parse.route import parse_route


def parse_virtualservice(meta: Meta, spec: Fields) -> VirtualService:
    """Read the `spec` of a VirtualService; one without hosts is a delegate."""
    gateways = _gateways(spec, meta)
    in_mesh = not gateways or "mesh" in gateways
    hosts = spec.placed_strings("hosts")
    _check_hosts(spec, hosts, in_mesh)
    if not hosts:
        for name in ("gateways", "tls", "tcp"):
            if spec.has(name):
                spec.error("a VirtualService without hosts is a delegate, and has none", name)
    for name in ("tcp", "tls"):
        if spec.has(name):
            spec.warn("has no effect on a gRPC client; it is kept", name)
    routes = tuple(parse_route(route, meta, is_delegate=not hosts) for route in spec.children("http"))
    if not routes and not spec.has("tcp") and not spec.has("tls") and not spec.report.errors:
        spec.error(
            "needs at least one route" if spec.has("http") else "needs http (or tcp or tls) routes", "http"
        )
    export_to = parse_exports(spec, meta.namespace)
    spec.close()
    _warn_unreachable(spec, routes)
    return VirtualService(
        meta=meta,
        hosts=tuple(names.resolve(text, meta.namespace).lower() for text, _, _ in hosts),
        gateways=gateways,
        http=routes,
        export_to=export_to,
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


def _warn_unreachable(spec: Fields, routes: tuple[HttpRoute, ...]) -> None:
    """Istio warns, and applies: rules behind one that takes every call are never reached."""
    for index, route in enumerate(routes):
        if route.matches:
            continue
        for later in routes[index + 1 :]:
            message = f"never reached: http[{index}] has no match and takes every call"
            spec.report.warn(later.place.line, later.place.field, message)
        return
