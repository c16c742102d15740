"""Which of several host patterns fits a host best."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane import names


def most_specific(host: str, candidates: Iterable[str]) -> str | None:
    """The candidate that fits a host best: itself, or the longest wildcard that covers it."""
    found: str | None = None
    for candidate in candidates:
        if candidate == host:
            return candidate
        if names.is_wildcard(candidate) and host.endswith(candidate[1:]):
            # A wildcard host (*.a.com) is covered by shorter wildcards only.
            if names.is_wildcard(host) and len(host) < len(candidate):
                continue
            if found is None or len(candidate) > len(found):
                found = candidate
    return found
