"""Calls that start at once: their way is known, its cluster can serve, and at most their end is looked at.

Whatever is not so simple is left to `Dispatcher.run`, which waits, decides anew and sees to more. What is
done here is done for every call, so it is as little as can be: no task, nothing kept of a call but what
another attempt would need, nothing told that nobody listens to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import grpc
from grpc import aio

from .attempts import Ended, failure_told
from .balance import draw_weighted
from .clusters import ActiveCluster
from .deciding import earlier
from .depgraph import Config
from .dispatch import Begun, CallSpec, Dispatcher, Method
from .match import CallHeaders
from .observer import Attempt
from .resources import Route, WeightedCluster
from .routing import Course, describe
from .subchannels import Subchannel
from .targets import ActiveTarget
from .watched import WatchedCall
from .ways import Way, Ways

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is settled about a call, whether it could be started at once or not."""

    ways: Ways
    route: Route
    cluster: WeightedCluster
    """Drawn by weight."""


class Express:
    """Starts the calls of one channel.

    `resume` makes the call that goes on where a first attempt has failed, `over` is told the end of each.
    """

    def __init__(
        self,
        active: ActiveTarget,
        dispatcher: Dispatcher,
        resume: Callable[[CallSpec, Begun], aio.Call],
        over: Callable[[aio.Call], None],
    ) -> None:
        self._active = active
        self._dispatcher = dispatcher
        self._news = dispatcher.news
        self._resume = resume
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._dependencies = active.dependencies
        self._ways: Ways | None = None

    def start(
        self,
        method: Method,
        request: Any,
        timeout: float | None,
        metadata: Metadata,
        compression: grpc.Compression | None,
    ) -> tuple[aio.Call | None, Drawn | None]:
        """Start a call; where it needs more than that, what has been drawn for it, if anything has."""
        ways = self._ways
        if ways is None or ways.config is not self._dependencies.outcome:
            ways = self._current()
            if ways is None:
                return _NOTHING
        way = ways.of(method.path, metadata)
        if way is None or (way.retry is not None and method.kind != "unary_unary"):
            return _NOTHING  # a stream of responses counts with its first, one of requests has to be kept
        clusters = way.clusters
        if len(clusters) == 1:
            drawn = clusters[0]
        else:
            drawn = draw_weighted(clusters, [each.weight for each in clusters], self._active.draw)
        name, cluster = self._active.serving(drawn.name)
        link = cast("Subchannel | None", cluster.take())
        if link is None:
            return None, Drawn(ways, way.route, drawn)
        started, limit = self._loop.time(), way.timeout
        if limit is None or (timeout is not None and timeout < limit):
            limit = timeout
        try:
            first = link.method(method)(request, timeout=limit, metadata=metadata, compression=compression)
        except BaseException:
            cluster.leave()
            raise
        news = self._news
        if news.wants_routed:
            news.routed(self._attempt(method, way.route, name, cluster, link.key.address), first)
        if method.kind != "unary_unary":
            cluster.started(link, first)
            first.add_done_callback(self._over)
            if news.wants_calls:
                news.made(first, method.path, _one)
            return cast(aio.Call, first), None
        begun = (
            method,
            request,
            timeout,
            metadata,
            compression,
            started,
            ways,
            way,
            drawn,
            name,
            cluster,
            link,
        )
        call = WatchedCall(first, cluster.watch(link, first), self._following, begun, self._over)
        if news.wants_calls:
            news.made(call, method.path, call.attempts)
        return call, None

    def course(self, spec: CallSpec, drawn: Drawn) -> Course:
        """What is settled about a call, for whoever decides about it anew."""
        call = CallHeaders(spec.method.path, self._active.target.authority, spec.metadata)
        course = self._active.course(drawn.ways.config, call)
        course.draw_as(drawn.route, drawn.cluster)
        return course

    def _current(self) -> Ways | None:
        config = self._active.outcome
        self._ways = Ways(config, self._active.target.authority) if isinstance(config, Config) else None
        return self._ways

    def _attempt(
        self, method: Method, route: Route, name: str, cluster: ActiveCluster, endpoint: str
    ) -> Attempt:
        where = cluster.locality(endpoint)
        return Attempt(self._active.target.uri, method.path, describe(route), name, endpoint, where, 1)

    def _following(self, call: Any, begun: tuple[Any, ...]) -> tuple[aio.Call, CallSpec] | None:
        """What follows a first attempt that has failed; None where that is the end of the call."""
        failure = failure_told(call)
        if failure is None:
            return None
        ended, first = Ended(call, failure), _First(*begun)
        policy = first.way.retry
        if not ended.unsent(None) and (policy is None or not ended.retriable(policy, 1, None)):
            return None
        deadline = None if first.timeout is None else first.started + first.timeout
        spec = CallSpec(
            first.method,
            first.request,
            deadline,
            first.metadata,
            compression=first.compression,
            started=first.started,
            cluster=first.cluster,
            attempts=1,
        )
        spec.course = self.course(spec, Drawn(first.ways, first.way.route, first.drawn))
        endpoint = first.link.key.address
        attempt = self._attempt(first.method, first.way.route, first.name, first.cluster, endpoint)
        limit = None if first.way.timeout is None else first.started + first.way.timeout
        return self._resume(spec, Begun(ended, attempt, policy, earlier(deadline, limit))), spec


@dataclass(frozen=True, slots=True)
class _First:
    """How a first attempt had begun; `started` is on the event loop's clock."""

    method: Method
    request: Any
    timeout: float | None
    metadata: Metadata
    compression: grpc.Compression | None
    started: float
    ways: Ways
    way: Way
    drawn: WeightedCluster
    name: str
    """Of the cluster that serves for the one drawn."""
    cluster: ActiveCluster
    link: Subchannel


_NOTHING = None, None


def _one() -> int:
    return 1
