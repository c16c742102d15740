"""Which virtual host serves an authority (gRFC A27)."""

from __future__ import annotations

from collections.abc import Iterable

from ..resources import VirtualHost


def _rank(pattern: str, authority: str) -> tuple[int, int] | None:
    """Rank a domain pattern for `authority`: exact, then suffix, prefix, `*`; longest first."""
    if pattern == "*":
        return 0, 0
    if pattern.startswith("*"):
        fits = len(authority) > len(pattern) - 1 and authority.endswith(pattern[1:])
        return (2, len(pattern)) if fits else None
    if pattern.endswith("*"):
        fits = len(authority) > len(pattern) - 1 and authority.startswith(pattern[:-1])
        return (1, len(pattern)) if fits else None
    return (3, len(pattern)) if pattern == authority else None


def select_virtual_host(hosts: Iterable[VirtualHost], authority: str) -> VirtualHost | None:
    """Return the virtual host whose domains fit `authority` best, case-insensitively; None for none."""
    authority = authority.lower()
    best: VirtualHost | None = None
    best_rank = (-1, -1)
    for host in hosts:
        for domain in host.domains:
            rank = _rank(domain.lower(), authority)
            if rank is not None and rank > best_rank:
                best, best_rank = host, rank
    return best


def fitting_domain(host: VirtualHost, authority: str) -> str:
    """Return which of a virtual host's domains fits `authority` best; empty for none."""
    ranked = ((_rank(domain.lower(), authority.lower()), domain) for domain in host.domains)
    return max(((rank, domain) for rank, domain in ranked if rank is not None), default=((), ""))[1]
