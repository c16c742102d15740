"""Hosts, labels and resource names: how Istio spells and checks them."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

DOMAIN = "cluster.local"
DEFAULT_NAMESPACE = "default"
ROOT_NAMESPACE = "istio-system"

_DNS_LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_WILDCARD_LABEL = re.compile(r"\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_LABEL_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~A-Za-z0-9]+")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_PSEUDO_HEADERS = frozenset((":method", ":scheme", ":authority", ":path", ":status"))


class ClusterKey(NamedTuple):
    """The parts of `outbound|port|subset|host`."""

    port: int
    subset: str
    host: str

    def __str__(self) -> str:
        return f"outbound|{self.port}|{self.subset}|{self.host}"


def parse_cluster_key(name: str) -> ClusterKey | None:
    """The parts of a cluster or route configuration name; None where it is none of ours."""
    parts = name.split("|")
    if len(parts) != 4 or parts[0] != "outbound" or not parts[1].isascii() or not parts[1].isdigit():
        return None
    port = int(parts[1])
    return ClusterKey(port, parts[2], parts[3]) if parts[3] and port else None


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def resolve(host: str, namespace: str) -> str:
    """A short host in the namespace of the object that names it; anything with a dot stays."""
    if not host or host == "*" or "." in host or is_ip(host):
        return host
    return f"{host}.{namespace}.svc.{DOMAIN}"


def host_port(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_wildcard(host: str) -> bool:
    """Whether the host starts with an asterisk."""
    return host.startswith("*")


def matches(one: str, other: str) -> bool:
    """Whether either host covers the other (Istio's `host.Name.Matches`)."""
    if is_wildcard(one) and is_wildcard(other):
        return one[1:].endswith(other[1:]) or other[1:].endswith(one[1:])
    if is_wildcard(one):
        return other.endswith(one[1:])
    if is_wildcard(other):
        return one.endswith(other[1:])
    return one == other


def is_dns_label(text: str) -> bool:
    """One label of a DNS name, in Istio's reading of RFC 1123 (capitals are fine)."""
    return len(text) <= 63 and _DNS_LABEL.fullmatch(text) is not None


def is_object_name(text: str) -> bool:
    """The name of a Kubernetes object."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def wrong_fqdn(domain: str) -> str | None:
    """Why the text is no domain name, or None."""
    return _wrong_length(domain) or _wrong_labels(domain, domain)


def wrong_host(domain: str) -> str | None:
    """Why the text is no domain name whose first label may be a wildcard, or None."""
    if wrong := _wrong_length(domain):
        return wrong
    first, dot, rest = domain.partition(".")
    if len(first) > 63 or _WILDCARD_LABEL.fullmatch(first) is None:
        return f'domain name "{domain}" is invalid (label "{first}")'
    return _wrong_labels(rest, domain) if dot else None


def _wrong_length(domain: str) -> str | None:
    if not domain:
        return "an empty domain name is not allowed"
    return f'domain name "{domain}" is longer than 255 characters' if len(domain) > 255 else None


def _wrong_labels(rest: str, domain: str) -> str | None:
    parts = rest.split(".")
    if parts[-1].isascii() and parts[-1].isdigit():
        return f'domain name "{domain}" is invalid (top level domain "{parts[-1]}" cannot be all-numeric)'
    for index, label in enumerate(parts):
        if index == len(parts) - 1 and not label:
            return None
        if not is_dns_label(label):
            return f'domain name "{domain}" is invalid (label "{label}")'
    return None


def wrong_label_key(key: str) -> str | None:
    """Why the text is no label key, or None."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not all(is_dns_label(part) for part in prefix.split("."))):
        return f'invalid label key "{key}"'
    return None if len(name) <= 63 and _LABEL_NAME.fullmatch(name) else f'invalid label key "{key}"'


def wrong_label_value(value: str) -> str | None:
    """Why the text is no label value, or None; it may be empty."""
    return None if not value or _LABEL_NAME.fullmatch(value) else f'invalid label value "{value}"'


def wrong_header_name(name: str) -> str | None:
    """Why the text cannot name a header to match on, or None."""
    if not name:
        return "a header name cannot be empty"
    return None if name in _PSEUDO_HEADERS else wrong_field_name(name)


def wrong_field_name(name: str) -> str | None:
    """Why the text cannot name a header field, or None."""
    return None if _HEADER_NAME.fullmatch(name) else f'"{name}" is not a valid header name'


def wrong_port(port: int) -> str | None:
    """Why the number is no port, or None."""
    return None if 1 <= port <= 65535 else f"port number {port} must be in the range 1..65535"


def is_internal(header: str) -> bool:
    """Whether a header is a part of the request that cannot be set like others."""
    return header.startswith(":") or header.lower() == "host"


def is_authority(header: str) -> bool:
    """Whether a header is one of the two names of the authority."""
    return header.lower() in (":authority", "host")
