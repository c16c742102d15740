"""What a route changes about a call or its answer, as frozen objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.stringmatch import StringMatch


@dataclass(frozen=True, slots=True)
class HeaderOperations:
    """Headers to set, to add and to remove, in one direction."""

    set: Mapping[str, str] = field(default_factory=dict)
    add: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Headers:
    """Header operations of a route or of one of its destinations."""

    request: HeaderOperations = field(default=HeaderOperations())
    response: HeaderOperations = field(default=HeaderOperations())


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A new path (a prefix, or by regex) and a new authority; "" leaves it."""

    uri: str = ""
    authority: str = ""
    regex: str = ""
    substitution: str = ""


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """Who may read an answer in a browser; of no effect on a gRPC client, and kept for others."""

    allow_origins: tuple[StringMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None
    allow_credentials: bool | None = None
    ignore_unmatched_preflights: bool = False
