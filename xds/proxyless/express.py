"""Calls that start at once: their way is known, its cluster can serve, and at most their end is looked at.

Whatever is not so simple is left to `Dispatcher.run`, which waits, decides anew and sees to more. What is
done here is done for every call, so it is as little as can be: no task, nothing kept of a call but what
another attempt would need, nothing told that nobody listens to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc
from grpc import aio
from msgspec import Struct, field

from .attempts import Ended, failure_told
from .balance import draw_weighted
from .clusters import ActiveCluster
from .depgraph import Config
from .dispatch import Begun, CallSpec, Dispatcher, Method
from .match import CallHeaders
from .observer import Attempt
from .replay import Replay, Rewound
from .resources import Route, WeightedCluster
from .routing import Course, name_of
from .streams import REPLAYED, RETRIED
from .subchannels import Subchannel
from .targets import ActiveTarget
from .watched import WATCHED
from .ways import Way, Ways

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]
Start: TypeAlias = tuple[
    Method, Any, Metadata, grpc.Compression | None, "Ways[_Course]", "_Course", WeightedCluster
]
"""All that another attempt needs of the first; a bare tuple, as one is made for every call."""


class Drawn(Struct, frozen=True):
    """What is settled about a call, whether it could be started at once or not."""

    ways: Ways[Any]
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
        self._tells = self._news.wants_routed or self._news.wants_calls
        self._dependencies = active.dependencies
        self._ways: Ways[_Course] | None = None

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
        course = ways.of(method.path, metadata)
        if course is None:
            return _NOTHING
        way, drawn, cluster = course.way, course.sole, course.cluster
        if drawn is None:
            drawn = draw_weighted(way.clusters, course.weights, self._active.draw)
        if cluster is None:
            cluster = self._active.serving(drawn.name)[1]
        link: Any = cluster.take()  # a Subchannel, as this target's pool has no other links
        if link is None:
            return None, Drawn(ways, way.route, drawn)
        limit = way.timeout
        if limit is None or (timeout is not None and timeout < limit):
            limit = timeout
        inner = method.inner.get(link) or method.on(link)
        iterated = method.kind != "unary_unary" and request is not None and method.streams_requests
        if not iterated:
            first = inner(request, timeout=limit, metadata=metadata, compression=compression)
        elif way.retry is None:
            request = Rewound(request)
            first = inner(request, timeout=limit, metadata=metadata, compression=compression)
            request.sent = first.wait_for_connection
        else:
            request = Replay(request, method.serialize)
            inner = method.serialized.inner.get(link) or method.serialized.on(link)
            first = inner(request.messages(), timeout=limit, metadata=metadata, compression=compression)
        start = (method, request, metadata, compression, ways, course, drawn)
        kinds = WATCHED if way.retry is None else REPLAYED if iterated else RETRIED
        call = kinds[method.kind](self._following, self._over, cluster, link, first, start)
        if self._tells:
            attempt = course.attempts.get((cluster, link)) or self._attempt(method, course, cluster, link)
            call.news = self._news.begun(attempt)
        return call, None

    def course(self, spec: CallSpec, drawn: Drawn) -> Course:
        """What is settled about a call, for whoever decides about it anew."""
        call = CallHeaders(spec.method.path, self._active.target.authority, spec.metadata)
        config = drawn.ways.config
        routes = config.table.matches_from(drawn.route, call, self._active.draw)
        course = self._active.course(config, call, routes)
        course.draw_as(drawn.route, drawn.cluster)
        return course

    def _current(self) -> Ways[_Course] | None:
        config = self._active.outcome
        if not isinstance(config, Config):
            return None
        self._ways = Ways(config, self._active.target.authority, self._course_of)
        return self._ways

    def _course_of(self, way: Way) -> _Course:
        if len(way.clusters) > 1:
            return _Course(way, weights=tuple(each.weight for each in way.clusters))
        name, cluster = self._active.serving(way.clusters[0].name)
        # Which cluster of an aggregate serves is another question for each call.
        return _Course(way, way.clusters[0], cluster if name == way.clusters[0].name else None)

    def _attempt(self, method: Method, course: _Course, cluster: ActiveCluster, link: Subchannel) -> Attempt:
        """What an observer is told of a first attempt."""
        name = "" if cluster.cluster is None else cluster.cluster.name
        endpoint, route = link.key.address, name_of(course.way.route)
        place, target = cluster.locality(endpoint), self._active.target.uri
        made = Attempt(target, method.path, route, name, endpoint, place, 1)
        course.attempts[cluster, link] = made
        return made

    def _following(
        self, first: Any, cluster: ActiveCluster, link: Subchannel, start: Start
    ) -> tuple[aio.Call, CallSpec] | None:
        """What follows a first attempt that has failed; None where that is the end of the call."""
        failure = failure_told(first)
        if failure is None:
            return None
        method, request, metadata, compression, ways, course, drawn = start
        way, ended = course.way, Ended(first, failure)
        replay = request if isinstance(request, Replay) else None
        if not ended.unsent(link, replay) and (
            way.retry is None or not ended.retriable(way.retry, 1, replay)
        ):
            return None
        left, now = first.time_remaining(), asyncio.get_running_loop().time()
        deadline = None if left is None else now + left
        spec = CallSpec(
            method, request, deadline, metadata, compression=compression, cluster=cluster, attempts=1
        )
        spec.course = self.course(spec, Drawn(ways, way.route, drawn))
        attempt = self._attempt(method, course, cluster, link)
        return self._resume(spec, Begun(ended, link, attempt, way.retry, deadline, replay)), spec


class _Course(Struct, frozen=True, eq=False):
    """A way with what is to be asked of it for each call: which cluster is drawn, and which one serves."""

    way: Way
    sole: WeightedCluster | None = None
    """The only one, where none has to be drawn."""
    cluster: ActiveCluster | None = None
    weights: tuple[int, ...] = ()
    attempts: dict[tuple[ActiveCluster, Subchannel], Attempt] = field(default_factory=dict)
    """As observers are told of them: the same for every call that goes to the same endpoint."""


_NOTHING = None, None
