"""One call on its way: wait for what is needed, decide, start it on a subchannel, retry.

What comes out is always the inner grpc.aio call that counts, or the aio.AioRpcError the caller gets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

import grpc
from grpc import aio
from msgspec import Struct, field

from .attempts import Ended, Retrying, asked_to_wait, ended
from .balance import Status
from .client import AdsClient
from .clusters import ActiveCluster
from .deciding import Decider, Undecided, earlier
from .depgraph import Config
from .edits import edited, edited_answer
from .match import CallHeaders
from .mirror import Mirrors
from .news import CallNews
from .observer import Attempt
from .replay import Replay, Rewound
from .resources import MessageEdits, RetryPolicy
from .retry import backoff
from .routing import Chosen, Course, describe, name_of
from .subchannels import Subchannel
from .tap import Tap
from .targets import ActiveTarget

CallKind: TypeAlias = Literal["unary_unary", "unary_stream", "stream_unary", "stream_stream"]

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Method(Struct, frozen=True, eq=False, weakref=True, dict=True):
    """A method as the stub declared it; one for each multicallable."""

    kind: CallKind
    path: str
    serialize: Any
    deserialize: Any
    inner: dict[Subchannel, Any] = field(default_factory=dict)
    """Its inner multicallables on the subchannels it has been called on."""

    def on(self, subchannel: Subchannel) -> Any:
        """The inner multicallable on a subchannel, made once."""
        for gone in [each for each in self.inner if not each.users]:
            del self.inner[gone]
        make = getattr(subchannel.channel, self.kind)
        found = self.inner[subchannel] = make(self.path, self.serialize, self.deserialize)
        return found

    @cached_property
    def serialized(self) -> Method:
        """The same method for requests that are serialized already."""
        return Method(self.kind, self.path, None, self.deserialize)

    def renamed(self, path: str) -> Method:
        """The same kind of method under another path, as an interceptor may ask for."""
        return Method(self.kind, path, self.serialize, self.deserialize)

    @property
    def streams_responses(self) -> bool:
        """Whether the response is a stream."""
        return self.kind.endswith("_stream")

    @property
    def streams_requests(self) -> bool:
        """Whether the request is a stream."""
        return self.kind.startswith("stream_")


class CallSpec(Struct):
    """One call as the caller made it; `deadline` is on the event loop's clock."""

    method: Method
    request: Any
    deadline: float | None
    metadata: tuple[tuple[str, str | bytes], ...]
    credentials: grpc.CallCredentials | None = None
    wait_for_ready: bool | None = None
    compression: grpc.Compression | None = None
    started: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    course: Course | None = None
    edits: tuple[MessageEdits, ...] = ()
    """What is done to the headers of its last attempt."""
    dropped: str | None = None
    """Why the call must not be sent, decided when it was made."""
    tap: Tap | None = None
    """Where the copies of a stream of requests are taken."""
    cluster: ActiveCluster | None = None
    """Which one its last attempt went to."""
    attempts: int = 0
    """How many there have been."""
    left_alone: tuple[Subchannel, Attempt, float | None] | None = None
    """Where its only attempt went, and when the call has to be over, if `run` does not wait for its end."""
    attempt: asyncio.Future[aio.Call] | None = None
    """Is given the first inner call, where somebody wants to know it although another may follow."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the caller asks for the response's headers."""

    def tap_requests(self) -> None:
        """From now on its requests go by where they can be copied, and are serialized there."""
        self.tap = Tap(self.request, self.method.serialize or bytes)
        self.request = self.tap.messages()
        self.method = self.method.serialized

    def answered(self, metadata: Any) -> Any:
        """The response's initial metadata after what the configuration does to it."""
        levels = [level.response for level in self.edits if level.response]
        if not levels or self.course is None:
            return metadata
        return aio.Metadata(*edited_answer(tuple(metadata or ()), levels, self.course.call.get))


class Begun(Struct, frozen=True):
    """A first attempt that was made elsewhere and has failed; `deadline` is the whole call's."""

    ended: Ended
    link: Subchannel
    attempt: Attempt
    policy: RetryPolicy | None
    deadline: float | None
    replay: Replay | None
    """What it has taken of a stream of requests, where another attempt needs that."""


class Dispatcher(Decider):
    """Sends the calls of one channel."""

    def __init__(self, client: AdsClient, active: ActiveTarget) -> None:
        super().__init__(client, active)
        self._mirrors = Mirrors(active, client.draw)
        self.news = CallNews(client, active.target.uri)

    def close(self) -> None:
        """Give up the copies of calls that are still on their way."""
        super().close()
        self._mirrors.close()

    async def run(self, spec: CallSpec, begun: Begun | None = None) -> aio.Call:
        """Bring the call to the inner call that counts; raises aio.AioRpcError, the caller's error.

        One that is `left_alone` is not counted yet among those of its cluster that are in flight.
        """
        replay: Replay | None = None
        tried: list[str] = []
        call: aio.Call | None = None
        last: Ended | None = None
        attempts = backoffs = 0
        seen_to = False
        """Whether an attempt that never left is made anew, also where nothing else is."""
        retrying = Retrying()
        try:
            while True:
                if begun is not None:
                    policy, deadline, replay = begun.policy, begun.deadline, begun.replay
                    attempt, link, last, begun = begun.attempt, begun.link, begun.ended, None
                    call, seen_to = last.call, True
                    tried.append(attempt.endpoint)
                else:
                    config, choice = await self._decide(spec, retrying=last is not None)
                    if choice is None:
                        assert last is not None
                        return last.settled()
                    policy = config.retry(choice.action)
                    watched = seen_to or policy is not None or spec.wait_for_ready
                    if choice.action.mirrors and spec.tap is None and spec.method.streams_requests:
                        spec.tap_requests()
                    if watched and replay is None and spec.method.streams_requests:
                        replay = Replay(spec.request, spec.method.serialize)
                    left_alone = not watched and spec.tap is None
                    if left_alone and spec.method.streams_requests and not isinstance(spec.request, Rewound):
                        spec.request = Rewound(spec.request)
                    deadline = until = self._deadline(config, choice, spec)
                    if policy is not None and policy.per_try_timeout is not None:
                        until = earlier(deadline, self._loop.time() + policy.per_try_timeout)
                    # An attempt with a stream of responses has no limit of its own once it is answered.
                    streams = spec.method.streams_responses
                    started = self._start(spec, config, choice, deadline if streams else until, tried, replay)
                    if isinstance(started, str):
                        await self._wait(deadline, started)
                        continue
                    if started is None:
                        if spec.dropped is not None:
                            raise self._error(grpc.StatusCode.UNAVAILABLE, spec.dropped)
                        continue
                    call, link, attempt = started
                    tried.append(attempt.endpoint)
                    if spec.attempt is not None and not spec.attempt.done():
                        spec.attempt.set_result(call)
                    assert spec.cluster is not None
                    if left_alone:
                        spec.left_alone = link, attempt, deadline
                        if isinstance(spec.request, Rewound):
                            spec.request.sent = call.wait_for_connection
                        return call
                    spec.cluster.started(link, call)
                    if not watched:
                        return call
                    limit = until if until != deadline else None
                    last = await ended(call, replay, limit, spec.asked if streams else None)
                    retrying.end()
                if last.unsent(link, replay):
                    last = (
                        None  # as if it had not been made: its endpoint went before it could leave (gRFC A6)
                    )
                    continue
                attempts += 1
                failure = last.failure
                if policy is None or failure is None or not last.retriable(policy, attempts, replay):
                    return last.settled()
                wait = asked_to_wait(failure)
                if wait is None:
                    backoffs += 1
                    wait = backoff(policy, backoffs, self._client.rng.uniform)
                else:
                    backoffs = 0  # a failure after a push-back waits as after the first (gRFC A6)
                if wait < 0 or (deadline is not None and deadline - self._loop.time() <= wait):
                    return last.settled()
                assert spec.cluster is not None
                if not retrying.begin(spec.cluster):
                    return last.settled()
                await self._sleep(wait)
                self.news.retried(attempt, failure.code().name)
        finally:
            retrying.end()
            if spec.tap is not None:
                _when_ended(call, spec.tap.close)
            if replay is not None and call is not None:
                call.add_done_callback(lambda _: replay.close())

    # --- sending ------------------------------------------------------------------------------------------

    def _start(
        self,
        spec: CallSpec,
        config: Config,
        choice: Chosen,
        deadline: float | None,
        tried: Sequence[str] = (),
        replay: Replay | None = None,
    ) -> tuple[aio.Call, Subchannel, Attempt] | str | None:
        """Start an attempt on an endpoint of the chosen cluster.

        Where there is none yet, says what to wait for; None where all have just gone, or where the call is
        dropped. `tried` has the endpoints of the attempts before.
        """
        assert choice.cluster is not None and spec.course is not None
        if spec.dropped is not None:
            return None
        name, cluster = self._active.serving(choice.cluster.name)
        where = f"route {describe(choice.route)}: cluster {name}: "
        if (reason := cluster.refusal()) is not None:
            spec.dropped = where + reason
            return None
        subchannel = cluster.pick(frozenset(tried), spec.course.hash(choice.route))
        if subchannel is Status.WAITING:
            return f"{where}connecting to the endpoint that the call's hash or the order picks"
        if not isinstance(subchannel, Subchannel):
            return None
        if (reason := cluster.full()) is not None:
            spec.dropped = where + reason
            return None
        method, address = spec.method, subchannel.key.address
        spec.edits = config.edits(choice.route, choice.cluster)
        metadata = spec.metadata
        if spec.edits:
            metadata = edited(metadata, (level.request for level in spec.edits), spec.course.call.get)
        inner = subchannel.method(method if replay is None else method.serialized)
        call = cast(
            aio.Call,
            inner(
                replay.messages() if replay is not None else spec.request,
                # A negative one is over before it begins; 0 leaves a server the rest of a millisecond.
                timeout=None if deadline is None else deadline - self._loop.time(),
                metadata=metadata,
                credentials=spec.credentials,
                # Never wait_for_ready: the call would stay with this endpoint for good.
                compression=spec.compression,
            ),
        )
        spec.cluster = cluster
        if choice.action.mirrors and not tried:
            self._mirror(spec, choice, deadline, metadata)
        spec.attempts += 1
        route, place = name_of(choice.route), cluster.locality(address)
        attempt = Attempt(self._active.target.uri, method.path, route, name, address, place, spec.attempts)
        self.news.routed(attempt, call)
        return call, subchannel, attempt

    def _mirror(
        self,
        spec: CallSpec,
        choice: Chosen,
        deadline: float | None,
        metadata: tuple[tuple[str, str | bytes], ...],
    ) -> None:
        """Send copies of the call; those of a stream have what goes by, as long as they keep up with it."""

        def prepare() -> Callable[[Subchannel], aio.Call]:
            copied = None if spec.tap is None else spec.tap.copy()

            def start(subchannel: Subchannel) -> aio.Call:
                call = subchannel.method(spec.method)(
                    spec.request if copied is None else copied,
                    timeout=None if deadline is None else deadline - self._loop.time(),
                    metadata=metadata,
                    credentials=spec.credentials,
                    compression=spec.compression,
                )
                if copied is not None:
                    copied.serve(call.cancel)
                return cast(aio.Call, call)

            return start

        self._mirrors.copy(choice.action.mirrors, prepare)

    def _headers(self, spec: Undecided) -> CallHeaders:
        assert isinstance(spec, CallSpec)
        return CallHeaders(spec.method.path, self._active.target.authority, spec.metadata)

    def _aborted(self, status: int, reason: str, skipped: tuple[str, ...]) -> aio.AioRpcError:
        return self._error(_CODES[status], reason, skipped)

    def _error(self, code: grpc.StatusCode, reason: str, skipped: tuple[str, ...] = ()) -> aio.AioRpcError:
        because = f" (before: {'; '.join(skipped)})" if skipped else ""
        details = f"{self._active.target.uri}: {reason}{because}"
        return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details, details)


def _when_ended(call: aio.Call | None, act: Callable[[], None]) -> None:
    """Do it once the call has ended; at once, where there is none."""
    if call is None:
        act()
    else:
        call.add_done_callback(lambda _: act())
