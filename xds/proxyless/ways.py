"""The way of calls that are alike in all that rules look at: decided for the first, kept for the rest. Pure.

Only what neither chance nor the state of a cluster decides is kept, and only for calls that are sent as they
are: no fault, no edited header, no copy, no hash. Every other call is decided by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from .depgraph import Config
from .match import CallHeaders
from .match.headers import MetadataItem
from .resources import ClusterAction, RetryPolicy, Route, WeightedCluster

T = TypeVar("T")
LIMIT = 512
"""How many ways are kept; with more kinds of calls than that, the oldest is forgotten for each new one."""


class Way(Struct, frozen=True):
    """Where calls of one kind go; with several clusters, one is drawn for each call."""

    route: Route
    action: ClusterAction
    clusters: tuple[WeightedCluster, ...]
    """Those with a weight."""
    retry: RetryPolicy | None
    timeout: float | None
    """Seconds a call may take by configuration; None for no limit."""


class Ways(Generic[T]):
    """The ways through one configuration of a target; each is kept as what `made` makes of it."""

    __slots__ = ("_authority", "_by_route", "_kept", "_made", "_names", "config")

    def __init__(self, config: Config, authority: str, made: Callable[[Way], T]) -> None:
        self.config: Final = config
        self._authority = authority
        self._made = made
        self._names = config.table.names
        self._kept: dict[object, T | None] = {}
        """By path and the headers that rules look at."""
        self._by_route: dict[tuple[str, int], T | None] = {}
        """By path and route: of thousands of values, most take one route."""

    def of(self, path: str, metadata: Iterable[MetadataItem]) -> T | None:
        """The way of a call; None for one that has to be decided by itself."""
        names = self._names
        key: object = path
        if names and (seen := [item for item in metadata if item[0] in names]):
            key = path, *seen
        try:
            return self._kept[key]
        except KeyError:
            return self._learn(key, path, metadata)

    def _learn(self, key: object, path: str, metadata: Iterable[MetadataItem]) -> T | None:
        """Decide for the first call of a kind, and keep it for the others: `key` is what is gone by."""
        route = self.config.table.sure(CallHeaders(path, self._authority, metadata))
        if route is None:
            made = None
        else:
            taken = path, route.index
            try:
                made = self._by_route[taken]
            except KeyError:
                way = self._way(route)
                made = None if way is None else self._made(way)
                _keep(self._by_route, taken, made)
        _keep(self._kept, key, made)
        return made

    def _way(self, route: Route) -> Way | None:
        """The way of all calls that take a route."""
        config, action = self.config, route.action
        if not isinstance(action, ClusterAction):
            return None
        clusters = tuple(each for each in action.clusters if each.weight)
        retry = config.retry(action)
        alone = action.mirrors or action.hash_policies or (retry is not None and retry.per_try_timeout)
        if alone or any(_changes(config, route, each) for each in clusters):
            return None
        return Way(route, action, clusters, retry, config.timeout(action))


def _keep(kept: dict[Any, T], key: object, made: T) -> None:
    kept[key] = made
    if len(kept) > LIMIT:
        del kept[next(iter(kept))]


def _changes(config: Config, route: Route, cluster: WeightedCluster) -> bool:
    """Whether calls to this cluster suffer a fault, or have their headers edited."""
    faults = config.faults(route, cluster)
    return bool(config.edits(route, cluster)) or any(each.delay or each.abort for each in faults)
