"""ServiceEntry, by the rules of Istio's `ValidateServiceEntry`; `resolution: STATIC` is what is served."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from controlplane import names
from controlplane.fields import Fields
from controlplane.objects import Meta, Place, ServiceEntry, ServicePort, Workload
from controlplane.parse import checks
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
    spec.enum("location", _LOCATIONS, "MESH_EXTERNAL")
    resolution = spec.enum("resolution", _RESOLUTIONS, "NONE")
    if resolution != "STATIC":
        message = f"{resolution} is not served yet by the embedded control plane; STATIC is"
        spec.error(message, "resolution")
    if len(hosts) > 1 and any(not p.is_http and p.protocol.lower() not in _TLS for p in ports):
        spec.error("several hosts need HTTP or TLS ports", "hosts")
    selector, place = _selector(spec)
    if selector is not None and spec.has("endpoints"):
        spec.error("only one of workloadSelector and endpoints is allowed", "endpoints")
    port_names = {port.name for port in ports}
    endpoints: tuple[Workload, ...] = tuple(
        parse_workload(endpoint, port_names) for endpoint in spec.children("endpoints")
    )
    spec.skip("subjectAltNames")
    checks.export_to(spec)
    spec.close()
    return ServiceEntry(meta, hosts, addresses, ports, selector, endpoints, place)


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
    return tuple(host.lower() for host, _, _ in found)


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
