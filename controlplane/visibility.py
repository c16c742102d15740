"""Who sees an object: `exportTo` in Istio's reading. Everyone, where nothing is said."""

from __future__ import annotations

from collections.abc import Collection

EVERYONE = "*"
NO_ONE = "~"


def is_public(exports: Collection[str]) -> bool:
    """Whether every namespace sees it."""
    return not exports or EVERYONE in exports


def is_visible(exports: Collection[str], namespace: str) -> bool:
    """Whether clients of a namespace see it; `.` has been replaced by its own namespace."""
    return is_public(exports) or (NO_ONE not in exports and namespace in exports)


def nearness(exports: Collection[str], owner: str, namespace: str) -> int:
    """Istio's order among what a namespace sees: its private things, those sent to it, then the rest."""
    if is_public(exports):
        return 2
    return 0 if owner == namespace else 1
