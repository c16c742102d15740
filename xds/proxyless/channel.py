"""A drop-in `grpc.aio.Channel` whose calls are routed by xDS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from grpc import aio

from .attempts import Ended, failure_told
from .calls import DEFERRED, DeferredCall
from .client import AdsClient
from .clusters import ActiveCluster
from .dispatch import Begun, CallSpec, Dispatcher, Method
from .errors import ClosedError
from .express import Drawn, Express
from .interceptors import by_kind, run_chain
from .replay import WriteQueue
from .subchannels import Subchannel
from .watched import WATCHED


class ClosedChannelError(ClosedError, aio.UsageError):
    """A channel was used after its close; what grpc.aio raises then is a UsageError."""


class Channel(aio.Channel):
    """Routes each call by the listener, routes, clusters and endpoints of its target.

    Made by `Client.channel`. Any generated stub takes it in place of a grpc.aio channel.
    """

    def __init__(
        self,
        client: AdsClient,
        target: str,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] | None = None,
        compression: grpc.Compression | None = None,
        interceptors: Sequence[aio.ClientInterceptor] | None = None,
        released: Callable[[Channel], Awaitable[None]] | None = None,
    ) -> None:
        self._interceptors = by_kind(interceptors or ())
        self._active = client.attach(target, credentials, tuple(options or ()))
        self._client = client
        self._compression = compression
        self._secure = credentials is not None
        self._released = released
        self._dispatcher = Dispatcher(client, self._active)
        self._calls: set[aio.Call] = set()
        self._express = Express(self._active, self._dispatcher, self._resume, self._calls.discard)
        client.adopt(self._calls)
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Take no new calls, give those in flight `grace` seconds, cancel the rest.

        Raises ValueError for a negative grace.
        """
        if grace and grace < 0:
            raise ValueError(f"grace must be non-negative, got {grace}.")
        if self._closed:
            return
        self._closed = True
        calls = [call for call in self._calls if not call.done()]
        try:
            if grace and calls:
                await asyncio.wait([asyncio.ensure_future(_ended(call)) for call in calls], timeout=grace)
        finally:
            # Also where whoever closes has no patience: nobody else would.
            for call in list(self._calls):
                call.cancel()
            self._dispatcher.close()
            self._client.release(self._calls)
            self._client.detach(self._active)
            self._active.notify()
            if self._released is not None:
                await self._released(self)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return READY if any cluster of the target has a ready endpoint; SHUTDOWN once closed."""
        if self._closed or self._client.closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        return self._active.connectivity(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return once `get_state` is another.

        Raises grpc.aio.UsageError once the channel is closed.
        """
        while (state := self.get_state()) is last_observed_state:
            if state is grpc.ChannelConnectivity.SHUTDOWN:
                raise self._closed_error()
            await self._active.changed()

    async def channel_ready(self) -> None:
        """Return once the state is READY, connecting where needed.

        Raises grpc.aio.UsageError where the channel is closed.
        """
        while (state := self.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
            if state is grpc.ChannelConnectivity.SHUTDOWN:
                raise self._closed_error()
            await self._active.changed()

    def unary_unary(
        self,
        method: str | bytes,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnary:
        """Return the multicallable of a unary-unary method."""
        return UnaryUnary(
            self, Method("unary_unary", _text(method), request_serializer, response_deserializer)
        )

    def unary_stream(
        self,
        method: str | bytes,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> UnaryStream:
        """Return the multicallable of a unary-stream method."""
        return UnaryStream(
            self, Method("unary_stream", _text(method), request_serializer, response_deserializer)
        )

    def stream_unary(
        self,
        method: str | bytes,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> StreamUnary:
        """Return the multicallable of a stream-unary method."""
        return StreamUnary(
            self, Method("stream_unary", _text(method), request_serializer, response_deserializer)
        )

    def stream_stream(
        self,
        method: str | bytes,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> StreamStream:
        """Return the multicallable of a stream-stream method."""
        return StreamStream(
            self, Method("stream_stream", _text(method), request_serializer, response_deserializer)
        )

    def _closed_error(self) -> ClosedChannelError:
        return ClosedChannelError(f"the channel to {self._active.target.uri} is closed")

    def _unusable(self) -> Exception:
        """Why no call can be made."""
        if self._closed or self._client.closed:
            return self._closed_error()
        try:
            self._client.check_usable()
        except ClosedError as error:
            return error
        raise AssertionError("a Client that is usable is at home")

    # --- for the multicallables ---------------------------------------------------------------------------

    def call(
        self,
        method: Method,
        request: Any,
        timeout: float | None,
        metadata: Any,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
    ) -> Any:
        """Make a call: the inner one, watched, where it can be had at once, else a deferred one."""
        try:
            usable = asyncio.get_running_loop() is self._client.home and not self._closed
        except RuntimeError:
            usable = False
        if not usable:
            raise self._unusable()
        metadata, compression = tuple(metadata or ()), compression or self._compression
        steps = self._interceptors[method.kind]
        for add in steps.additions:
            metadata = add(metadata)
        drawn: Drawn | None = None
        if not steps.chain and credentials is None and not wait_for_ready:
            call, drawn = self._express.start(method, request, timeout, metadata, compression)
            if call is not None:
                self._calls.add(call)
                return call
        now = asyncio.get_running_loop().time()
        deadline = None if timeout is None else now + timeout
        spec = CallSpec(method, request, deadline, metadata, credentials, wait_for_ready, compression)
        if not steps.chain:
            return self._defer(spec, drawn)
        return self._track(spec, run_chain(steps.chain, spec, self._start), _own_writes(spec))

    def _start(self, spec: CallSpec) -> aio.Call:
        """Make a call as the interceptors want it."""
        drawn: Drawn | None = None
        if spec.credentials is None and not spec.wait_for_ready:
            timeout = None if spec.deadline is None else spec.deadline - spec.started
            call, drawn = self._express.start(
                spec.method, spec.request, timeout, spec.metadata, spec.compression
            )
            if call is not None:
                self._calls.add(call)
                return call
        return self._defer(spec, drawn)

    def _defer(self, spec: CallSpec, drawn: Drawn | None) -> aio.Call:
        """Make a call that has to wait, or to be seen to."""
        if spec.credentials is not None and not self._secure:
            # As the connection to the endpoint would say, once there is one.
            raise aio.UsageError("Call credentials are only valid on secure channels")
        writes = _own_writes(spec)
        if spec.method.streams_requests:
            spec.attempt = asyncio.get_running_loop().create_future()
        if drawn is not None:
            spec.course = self._express.course(spec, drawn)
        call = self._track(spec, self._bring(spec), writes, spec.answered, spec.asked)
        self._dispatcher.news.made(call, spec.method.path, lambda: spec.attempts)
        return call

    async def _bring(self, spec: CallSpec) -> aio.Call:
        """Bring a call to its inner one, in whose place another is made where it cannot leave."""
        call = await self._dispatcher.run(spec)
        if spec.left_alone is None:
            return call
        assert spec.cluster is not None
        link = spec.left_alone[0]
        return WATCHED[spec.method.kind](self._following, _nothing, spec.cluster, link, call, spec)

    def _following(
        self, first: Any, cluster: ActiveCluster, link: Subchannel, spec: CallSpec
    ) -> tuple[aio.Call, CallSpec] | None:
        """What follows an attempt that was left alone; None where that is the end of the call."""
        failure = failure_told(first)
        ended = Ended(first, failure)
        if not ended.unsent(link, None) or spec.left_alone is None:
            return None
        _, attempt, deadline = spec.left_alone
        spec.left_alone = None
        return self._resume(spec, Begun(ended, link, attempt, None, deadline, None)), spec

    def _resume(self, spec: CallSpec, begun: Begun) -> aio.Call:
        """Go on with a call after its first attempt."""
        writes = _own_writes(spec)
        if spec.method.streams_requests:
            spec.attempt = asyncio.get_running_loop().create_future()
        bring = self._dispatcher.run(spec, begun)
        kind = DEFERRED[spec.method.kind]
        return kind(bring, spec.deadline, writes, spec.attempt, spec.answered, spec.asked)

    def _track(
        self,
        spec: CallSpec,
        bring: Coroutine[Any, Any, aio.Call],
        writes: WriteQueue | None,
        answered: Callable[[Any], Any] | None = None,
        asked: asyncio.Event | None = None,
    ) -> DeferredCall:
        call = DEFERRED[spec.method.kind](bring, spec.deadline, writes, spec.attempt, answered, asked)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call


def _own_writes(spec: CallSpec) -> WriteQueue | None:
    """Where the caller gave no iterator of requests, make one of its `write` calls."""
    if not spec.method.streams_requests or spec.request is not None:
        return None
    writes = spec.request = WriteQueue()
    return writes


def _text(method: str | bytes) -> str:
    return method if isinstance(method, str) else method.decode()


def _nothing(call: aio.Call) -> None:
    """Whoever holds the call around it sees to its end."""


async def _ended(call: aio.Call) -> None:
    """Wait for its end, however it ends: what it fails with is for whoever made it."""
    ended = asyncio.Event()
    call.add_done_callback(lambda _: ended.set())
    await ended.wait()


class _MultiCallable:
    def __init__(self, channel: Channel, method: Method) -> None:
        self._channel = channel
        self._method = method


class _UnaryRequest(_MultiCallable):
    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._channel.call(
            self._method, request, timeout, metadata, credentials, wait_for_ready, compression
        )


class _StreamRequest(_MultiCallable):
    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self._channel.call(
            self._method, request_iterator, timeout, metadata, credentials, wait_for_ready, compression
        )


class UnaryUnary(_UnaryRequest, aio.UnaryUnaryMultiCallable):  # type: ignore[type-arg]
    """Makes unary-unary calls."""


class UnaryStream(_UnaryRequest, aio.UnaryStreamMultiCallable):  # type: ignore[type-arg]
    """Makes unary-stream calls."""


class StreamUnary(_StreamRequest, aio.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    """Makes stream-unary calls."""


class StreamStream(_StreamRequest, aio.StreamStreamMultiCallable):  # type: ignore[type-arg]
    """Makes stream-stream calls."""
