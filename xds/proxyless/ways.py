"""The way of calls that are alike in all that rules look at: decided for the first, kept for the rest. Pure.

Only what neither chance nor the state of a cluster decides is kept, and only for calls that are sent as they
are: no fault, no edited header, no copy, no hash. Every other call is decided by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

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

    __slots__ = ("_authority", "_made", "config", "kept", "names")

    def __init__(self, config: Config, authority: str, made: Callable[[Way], T]) -> None:
        self.config: Final = config
        self._authority = authority
        self._made = made
        self.names: Final = config.table.names
        """The headers that rules look at."""
        self.kept: Final[dict[object, T | None]] = {}
        """By path and those headers, as `of` has them."""

    def of(self, path: str, metadata: Iterable[MetadataItem]) -> T | None:
        """The way of a call; None for one that has to be decided by itself."""
        key: object = path
        for item in metadata if self.names else ():
            if item[0] in self.names:
                key = key, item
        try:
            return self.kept[key]
        except KeyError:
            way = self._decide(path, metadata)
            made = self.kept[key] = None if way is None else self._made(way)
            if len(self.kept) > LIMIT:
                del self.kept[next(iter(self.kept))]
            return made

    def _decide(self, path: str, metadata: Iterable[MetadataItem]) -> Way | None:
        config = self.config
        route = config.table.sure(CallHeaders(path, self._authority, metadata))
        if route is None or not isinstance(route.action, ClusterAction):
            return None
        action = route.action
        clusters = tuple(each for each in action.clusters if each.weight)
        retry = config.retry(action)
        alone = action.mirrors or action.hash_policies or (retry is not None and retry.per_try_timeout)
        if alone or any(_changes(config, route, each) for each in clusters):
            return None
        return Way(route, action, clusters, retry, config.timeout(action))


def _changes(config: Config, route: Route, cluster: WeightedCluster) -> bool:
    """Whether calls to this cluster suffer a fault, or have their headers edited."""
    faults = config.faults(route, cluster)
    return bool(config.edits(route, cluster)) or any(each.delay or each.abort for each in faults)
