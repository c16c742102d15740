"""ServiceEntry, by the rules of Istio's `ValidateServiceEntry`.

All resolutions are served, but only STATIC gives a client endpoints: EDS has IP addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import Meta, Place, ServiceEntry, ServicePort, Workload
from controlplane.parse import checks
from controlplane.parse.exports import parse_exports
from controlplane.parse.workload import parse_workload

_RESOLUTIONS = ("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS")
_LOCATIONS = ("MESH_EXTERNAL", "MESH_INTERNAL")
_PROTOCOLS = frozenset(
    [
        "tcp",
        "udp",
        "grpc",
        "grpc-web",
        "http",
        "http_proxy",
        "http2",
        "https",
        "tls",
        "mongo",
        "redis",
        "mysql",
    ],
)
_TLS = ("https", "tls")


def parse_serviceentry(meta: Meta, spec: Fields) -> ServiceEntry:
    """Read the `spec` of a ServiceEntry."""
    hosts = _hosts(spec)
    addresses = _addresses(spec)
    ports = _ports(spec)
    location = spec.enum("location", _LOCATIONS, "MESH_EXTERNAL")
    resolution = spec.enum("resolution", _RESOLUTIONS, "NONE")
    several = len(hosts) > 1 and resolution != "NONE"
    if several and any(not p.protocol or not (p.is_http or p.protocol.lower() in _TLS) for p in ports):
        spec.error("several hosts need HTTP or TLS ports", "hosts")
    selector, place = _selector(spec)
    if selector is not None and spec.has("endpoints"):
        spec.error("only one of workloadSelector and endpoints is allowed", "endpoints")
    endpoints = _endpoints(spec, resolution, {port.name for port in ports})
    _check_resolution(spec, resolution, hosts, ports, location)
    spec.skip("subjectAltNames")
    export_to = parse_exports(spec, meta.namespace, is_service=True)
    spec.close()
    if resolution != "STATIC":
        spec.warn(f"{resolution} gives a gRPC client no endpoints; STATIC does", "resolution")
    return ServiceEntry(meta, hosts, addresses, ports, selector, endpoints, export_to, resolution, place)


def _endpoints(spec: Fields, resolution: str, port_names: set[str]) -> tuple[Workload, ...]:
    found = spec.children("endpoints")
    if resolution == "NONE" and found:
        spec.error("resolution NONE has no endpoints", "endpoints")
    if resolution == "DNS_ROUND_ROBIN" and len(found) > 1:
        spec.error("resolution DNS_ROUND_ROBIN has at most one endpoint", "endpoints")
    if resolution == "DYNAMIC_DNS" and found:
        spec.error("resolution DYNAMIC_DNS has no endpoints", "endpoints")
    may_be_name = resolution != "STATIC"
    return tuple(parse_workload(each, port_names, may_be_name=may_be_name) for each in found)


def _check_resolution(
    spec: Fields, resolution: str, hosts: tuple[str, ...], ports: tuple[ServicePort, ...], location: str
) -> None:
    """What only some resolutions allow."""
    if resolution not in ("NONE", "STATIC") and any("/" in text for text in spec.strings("addresses")):
        spec.error("CIDR blocks are for the resolutions NONE and STATIC", "addresses")
    if resolution in ("DNS", "DNS_ROUND_ROBIN") and not spec.has("endpoints"):
        for host, path, line in spec.placed_strings("hosts"):
            if names.wrong_fqdn(host):
                spec.report.error(line, path, "must be a full domain name where there are no endpoints")
    if resolution == "DYNAMIC_DNS":
        if any(not names.is_wildcard(host) for host in hosts):
            spec.error("resolution DYNAMIC_DNS needs wildcard hosts", "hosts")
        if spec.strings("addresses"):
            spec.error("resolution DYNAMIC_DNS has no addresses", "addresses")
        if any(port.protocol.lower() not in ("http", "tls") for port in ports):
            spec.error("resolution DYNAMIC_DNS needs HTTP or TLS ports", "ports")
        if location != "MESH_EXTERNAL":
            spec.error("resolution DYNAMIC_DNS needs MESH_EXTERNAL", "location")


def _hosts(spec: Fields) -> tuple[str, ...]:
    found = spec.placed_strings("hosts")
    if not found:
        spec.error("needs at least one host", "hosts")
    for host, path, line in found:
        wrong = "invalid host *" if host == "*" else names.wrong_host(host)
        if wrong is not None:
            spec.report.error(line, path, wrong)
        elif "." not in host:
            # Istio takes the hosts of a ServiceEntry as they are; rules that say `reviews` will not meet it.
            spec.report.warn(line, path, f'"{host}" is taken as it is, not completed by the namespace')
    return tuple(host for host, _, _ in found)


def _addresses(spec: Fields) -> tuple[str, ...]:
    found = []
    for address, path, line in spec.placed_strings("addresses"):
        try:
            network = ipaddress.ip_network(address, strict=False)
        except ValueError:
            spec.report.error(line, path, f'"{address}" is neither an IP address nor a CIDR block')
            continue
        single = network.prefixlen == network.max_prefixlen
        found.append(str(network.network_address) if single else address)
    if len(found) > 1:
        message = (
            "with more than one, each endpoint is listed as often, as by Istiod, and gRPC clients refuse that"
        )
        spec.warn(message, "addresses")
    return tuple(found)


def _ports(spec: Fields) -> tuple[ServicePort, ...]:
    found: list[ServicePort] = []
    for item in spec.children("ports"):
        number = item.integer("number", minimum=0)
        name = item.string("name")
        protocol = item.string("protocol")
        target = item.integer("targetPort", minimum=0) or 0
        checks.check(item, "number", names.wrong_port(number or 0))
        if not names.is_dns_label(name):
            item.error(f'invalid port name "{name}"' if name else "a port needs a name", "name")
        elif any(name == other.name for other in found):
            item.error(f'port name "{name}" is already defined', "name")
        if any(number == other.number for other in found):
            item.error(f"port {number} is already defined", "number")
        if protocol and protocol.lower() not in _PROTOCOLS:
            item.error(f'unsupported protocol "{protocol}"', "protocol")
        if target:
            checks.check(item, "targetPort", names.wrong_port(target))
        item.close()
        found.append(ServicePort(number or 0, name, protocol, target))
    return tuple(found)


def _selector(spec: Fields) -> tuple[Mapping[str, str] | None, Place]:
    selector = spec.child("workloadSelector")
    if selector is None:
        return None, Place("", 0)
    labels = checks.check_labels(selector, "labels")
    if not labels:
        selector.warn("without labels it selects every workload of the namespace", "labels")
    if inner := selector.child("labels"):
        for key, value in labels.items():
            if "*" in key or "*" in value:
                inner.error("wildcards are not allowed in a workload selector", key)
    selector.close()
    return labels, Place(selector.path, selector.line)
