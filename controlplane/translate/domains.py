"""The domains of a virtual host: every way a client may spell a service's host."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.names import host_port, is_ip
from controlplane.registry import Service

_SVC = ".svc."


def build_domains(service: Service, port: int, client_domain: str) -> list[str]:
    """The domains in Istiod's order, each once; `client_domain` is like `default.svc.cluster.local`."""
    host = service.host
    found = [host, host_port(host, port)]
    if not is_ip(host):
        found += [f"{host}.", f"{host}.:{port}"]
    found += _with_port(_short_hosts(host, client_domain), port)
    # Istio makes a service of each address, and of those of one host the last is kept here.
    found += _with_port(service.addresses[-1:], port)
    return list(dict.fromkeys(found))


def _with_port(hosts: Iterable[str], port: int) -> list[str]:
    found = []
    for host in hosts:
        found += [f"[{host}]" if ":" in host else host, host_port(host, port)]
    return found


def _short_hosts(host: str, client_domain: str) -> list[str]:
    """`name` (for clients of the namespace only), `name.namespace.svc` and `name.namespace`."""
    before, svc, after = client_domain.partition(_SVC)
    stem, found_svc, domain = host.partition(_SVC)
    if not svc or not found_svc or domain != after:
        return []
    name, dot, namespace = stem.partition(".")
    if not dot or not namespace:
        return []
    if namespace == before:
        return [name, f"{stem}.svc", stem]
    return [stem, f"{stem}.svc"]
