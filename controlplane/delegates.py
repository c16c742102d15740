"""VirtualServices with the routes of their delegates put in (Istio's `mergeVirtualServicesIfNeeded`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from controlplane.objects import HttpMatch, HttpRoute, VirtualService
from controlplane.stringmatch import StringMatch
from controlplane.visibility import is_visible

_SCALARS = (
    "rewrite",
    "direct_response",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "cors",
    "mirrors",
    "headers",
)


def with_delegates(things: Iterable[VirtualService]) -> tuple[VirtualService, ...]:
    """The VirtualServices with hosts; a route whose delegate is unknown, or out of sight, is left out."""
    every = tuple(things)
    leaves = {(one.meta.namespace, one.meta.name): one for one in every if not one.hosts}
    found = []
    for thing in every:
        if not thing.hosts:
            continue
        if any(route.delegate for route in thing.http):
            routes = tuple(each for route in thing.http for each in _expand(route, thing, leaves))
            thing = replace(thing, http=routes)
        found.append(thing)
    return tuple(found)


def _expand(
    route: HttpRoute, root: VirtualService, leaves: dict[tuple[str, str], VirtualService]
) -> Iterable[HttpRoute]:
    if route.delegate is None:
        yield route
        return
    leaf = leaves.get(route.delegate)
    if leaf is None or not is_visible(leaf.export_to, root.meta.namespace):
        return
    for inner in leaf.http:
        if (merged := _merge(route, inner)) is not None:
            yield merged


def _merge(root: HttpRoute, leaf: HttpRoute) -> HttpRoute | None:
    """The leaf's route under the root's conditions; None where they contradict."""
    matches = _merge_matches(root.matches, leaf.matches)
    if matches is None:
        return None
    taken = {name: getattr(root, name) for name in _SCALARS if not getattr(leaf, name)}
    return replace(leaf, name=_join(root.name, leaf.name), matches=matches, **taken)


def _join(root: str, leaf: str) -> str:
    return f"{root}-{leaf}" if root and leaf else root or leaf


def _merge_matches(
    roots: tuple[HttpMatch, ...], leaves: tuple[HttpMatch, ...]
) -> tuple[HttpMatch, ...] | None:
    if not roots or not leaves:
        return roots or leaves
    found = []
    for leaf in leaves:
        pairs = [_merge_match(root, leaf) for root in roots if not _contradict(root, leaf)]
        if not pairs:
            return None
        found += pairs
    return tuple(found)


def _merge_match(root: HttpMatch, leaf: HttpMatch) -> HttpMatch:
    return HttpMatch(
        name=_join(root.name, leaf.name),
        uri=leaf.uri or root.uri,
        scheme=leaf.scheme or root.scheme,
        method=leaf.method or root.method,
        authority=leaf.authority or root.authority,
        headers=_union(root.headers, leaf.headers),
        without_headers=_union(root.without_headers, leaf.without_headers),
        query=_union(root.query, leaf.query),
        ignore_uri_case=leaf.ignore_uri_case,
        port=leaf.port or root.port,
        source_labels={**root.source_labels, **leaf.source_labels},
        source_namespace=leaf.source_namespace or root.source_namespace,
        gateways=leaf.gateways or root.gateways,
        stat_prefix=leaf.stat_prefix or root.stat_prefix,
    )


_Named = tuple[tuple[str, StringMatch], ...]


def _union(root: _Named, leaf: _Named) -> _Named:
    return tuple({**dict(root), **dict(leaf)}.items())


def _contradict(root: HttpMatch, leaf: HttpMatch) -> bool:
    """Whether no call could meet both, in Istio's rough reading (`hasConflict`)."""
    pairs = [
        (root.uri, leaf.uri),
        (root.scheme, leaf.scheme),
        (root.method, leaf.method),
        (root.authority, leaf.authority),
    ]
    for mine, theirs in (
        (root.headers, leaf.headers),
        (root.without_headers, leaf.without_headers),
        (root.query, leaf.query),
    ):
        known = dict(mine)
        pairs += [(known.get(name), value) for name, value in theirs]
    if any(_strings_contradict(one, other) for one, other in pairs):
        return True
    if root.ignore_uri_case != leaf.ignore_uri_case:
        return True
    if root.port and leaf.port and root.port != leaf.port:
        return True
    if root.source_namespace and root.source_namespace != leaf.source_namespace:
        return True
    if any(root.source_labels.get(key, value) != value for key, value in leaf.source_labels.items()):
        return True
    return bool(root.gateways and leaf.gateways) and not set(leaf.gateways) <= set(root.gateways)


def _strings_contradict(root: StringMatch | None, leaf: StringMatch | None) -> bool:
    if root is None or leaf is None:
        return False
    if root.kind == "regex" or leaf.kind == "regex":
        return True
    if root.kind == "exact":
        return leaf.kind == "prefix" or leaf.value != root.value
    return not (
        root.kind == "prefix" and leaf.kind in ("exact", "prefix") and leaf.value.startswith(root.value)
    )
