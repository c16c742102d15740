"""One ADS stream for every channel of the process. It owns the tasks; the thinking is elsewhere."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any, Final, Self

import grpc
from grpc import aio

from .admin import config_dump, target_states
from .bootstrap import Bootstrap
from .depgraph import Config, Key
from .errors import BootstrapError, ClosedError
from .held import DataErrors, Held, State
from .interest import Interest
from .names import parse_target
from .observer import Observer
from .pools import Pool
from .protocol import AdsMachine
from .reports import Reporter
from .resources import Kind
from .routing import Fallback
from .slices import in_slices
from .steps import Steps, finish
from .subchannels import SubchannelPool
from .targets import ActiveTarget
from .transport import MAX_RESPONSE, AdsStream, NoResponseError, opening

_log = logging.getLogger("proxyless")

_generation = 0
"""How many forks lie between the first process and this one."""


def _after_fork() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_after_fork)


class AdsClient:
    """Speaks ADS to the control plane and keeps the targets that channels attach to up to date.

    `proxyless.Client` is this with `channel`. Raises ClosedError where there is no running event loop.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        *,
        fallback: Fallback = "none",
        observer: Observer | None = None,
        reconnect: tuple[float, float] = (0.2, 15.0),
        rng: random.Random | None = None,
        max_response: int = MAX_RESPONSE,
    ) -> None:
        if fallback not in ("none", "next-route"):
            raise ValueError(f"fallback={fallback!r}: must be 'none' or 'next-route'")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ClosedError(
                "a proxyless.Client needs a running event loop: make it in a coroutine"
            ) from None
        self.home: asyncio.AbstractEventLoop | None = self._loop
        """The event loop it can be used on; None once it is closed."""
        self._born = _generation
        self._calls: list[Collection[Any]] = []
        """The calls of each channel that has not been closed, whether the channel itself is still there."""
        self.bootstrap = bootstrap
        self.fallback: Fallback = fallback
        self.observer = observer or Observer()
        self._reporter = Reporter(self.observer)
        self.observe: Final = self._reporter.tell
        """Calls a method of the observer."""
        self.rng = rng or random.Random()
        self._reconnect = reconnect
        self._max_response = max_response
        self._machine = AdsMachine(DataErrors.of(bootstrap.server_features))
        self._pool = SubchannelPool(self._reporter.connection)
        self._targets: dict[tuple[Any, ...], ActiveTarget] = {}
        self._interest = Interest()
        self._task: asyncio.Task[None] | None = None
        self._outgoing = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self.check_usable()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- for users ----------------------------------------------------------------------------------------

    def config_dump(self) -> dict[str, Any]:
        """Return every resource with its version, state and last error, as plain dicts."""
        return config_dump(self.bootstrap, self._machine, self._targets.values())

    def target_states(self) -> dict[str, Any]:
        """Return `targets` of the config dump alone, which costs little: state, and why it is not `ready`."""
        return target_states(self._targets.values())

    async def close(self) -> None:
        """End the stream and every connection; calls in flight are cancelled."""
        self._closed, self.home = True, None
        if self._timer is not None:
            self._timer.cancel()
        for call in [call for calls in self._calls for call in calls]:
            call.cancel()
        for active in self._targets.values():
            active.close()
        self._targets.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # --- for channels -------------------------------------------------------------------------------------

    @property
    def pool(self) -> SubchannelPool:
        """The subchannels every target shares."""
        return self._pool

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def adopt(self, calls: Collection[Any]) -> None:
        """Cancel these calls, too, when it is closed; until `release`."""
        self._calls.append(calls)

    def release(self, calls: Collection[Any]) -> None:
        """Leave these calls to whoever closes their channel."""
        self._calls = [each for each in self._calls if each is not calls]

    def draw(self, bound: int) -> int:
        """A random integer in [0, bound)."""
        return int(self.rng.random() * bound)

    def attach(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
        pool: Pool[Any] | None = None,
    ) -> ActiveTarget:
        """Take a share in a target; give it back with `detach`.

        `pool` connects to its endpoints; by default that is the Client's own, which speaks gRPC.
        """
        self.check_usable()
        parsed = parse_target(target)
        key = (parsed.listener, credentials, tuple(options), pool)
        active = self._targets.get(key)
        if active is None:
            active = ActiveTarget(parsed, pool or self._pool, self.draw, self.fallback, credentials, options)
            self._targets[key] = active
            finish(self._refreshing([active]))
            if self._task is None:
                self._task = self._loop.create_task(self._run(), name="proxyless ADS")
        active.users += 1
        return active

    def held(self, kind: Kind) -> dict[str, Held]:
        """What is held of a resource type, by name; times in it are on the clock of `now`."""
        return self._machine.watched(kind)

    def now(self) -> float:
        """The event loop's clock, in seconds."""
        return self._loop.time()

    def ambient(self, active: ActiveTarget, cluster: str) -> str:
        """What the control plane's side may have to do with the trouble of a cluster; empty for nothing."""
        wrong = active.dependencies.ambient(self._machine.held, cluster, self._machine.stream_error)
        return f" (meanwhile: {'; '.join(wrong)})" if wrong else ""

    def detach(self, active: ActiveTarget) -> None:
        """Give a share back; the last one drops the target's resources."""
        active.users -= 1
        if active.users == 0 and not self._closed:
            for key, each in list(self._targets.items()):
                if each is active:
                    del self._targets[key]
            active.close()
            self._interest.changed(active.dependencies.needs, frozenset())
            self._watch_what_is_needed()
            self._send()

    def check_usable(self) -> None:
        """Raise ClosedError where this Client cannot be used: closed, after a fork, on another event loop."""
        if self._closed:
            raise ClosedError("this proxyless.Client is closed")
        if self._born != _generation:
            raise ClosedError("a proxyless.Client cannot be used after fork: make a new one in the child")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ClosedError("a proxyless.Client is used outside a running event loop") from None
        if loop is not self._loop:
            raise ClosedError("this proxyless.Client belongs to another event loop")

    # --- the stream ---------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Follow the control plane; the connections end with this task, however it ends."""
        try:
            await self._follow()
        finally:
            # asyncio.run cancels what is left when it ends, and then nobody else closes them.
            await self._pool.close()

    async def _follow(self) -> None:
        """Keep a stream to the control plane, for as long as the Client lives."""
        attempt, told = 0, ""
        while True:
            answered, error = await self._converse()
            self._machine.disconnected(error)
            self._after_change()
            if answered:
                attempt, told = 0, ""
            else:
                # Said once, however often it is tried: the next line is the next thing to know.
                _log.log(logging.DEBUG if error == told else logging.WARNING, "%s", error)
                told = error
                self.observe(self.observer.stream_failed, self.bootstrap.server, error)
            first, longest = self._reconnect
            await asyncio.sleep(min(first * 1.6**attempt, longest) * self.rng.uniform(0.8, 1.2))
            attempt += 1

    async def _converse(self) -> tuple[bool, str]:
        """Hold one stream to its end; returns whether it was ever answered, and how it ended."""
        answered = False
        stream: AdsStream | None = None
        writer: asyncio.Task[None] | None = None
        server = self.bootstrap.server
        self.observe(self.observer.stream_opening, server)
        try:
            stream = AdsStream(self.bootstrap, self._max_response)
            await stream.wait_until_open()
            self._machine.connected()
            writer = self._loop.create_task(self._write(stream), name="proxyless ADS writer")
            self._send()
            while (data := await stream.receive()) is not None:
                await in_slices(self._heeding(data, first=not answered))
                answered = True
            return answered, f"control plane {server}: closed the stream"
        except aio.AioRpcError as error:
            tls = "" if self.bootstrap.tls is None else f" ({self.bootstrap.tls.at_stake(error.code().name)})"
            return answered, f"control plane {server}: {error.code().name}: {error.details()}{tls}"
        except (BootstrapError, NoResponseError) as error:
            return answered, f"control plane {server}: {error}"
        except Exception as error:  # noqa: BLE001 - a bug here must not end routing for good
            _log.exception("unexpected error in the ADS stream; it is opened anew")
            return answered, f"control plane {server}: {type(error).__name__}: {error}"
        finally:
            if writer is not None:
                writer.cancel()
                await asyncio.wait([writer])
            if stream is not None:
                await stream.close()

    def _heeding(self, data: bytes, *, first: bool) -> Steps[None]:
        """Read a response, apply it, and go by it; raises NoResponseError where the bytes are none."""
        response = yield from opening(data)
        server = self.bootstrap.server
        if first:
            _log.info("control plane %s: connected", server)
            self.observe(self.observer.stream_connected, server)
        yield
        reading = yield from self._machine.reading(response)
        receipt = self._machine.accept(reading, self._loop.time())
        if receipt is not None:
            kind, valid, invalid = receipt.kind, receipt.valid, receipt.invalid
            self.observe(self.observer.response_received, server, kind, valid, invalid)
        yield from self._following()
        for active in list(self._targets.values()):
            yield from active.dependencies.clearing()

    async def _write(self, stream: AdsStream) -> None:
        """Write what the machine wants sent; ends with the stream, whose reader says why."""
        while True:
            await self._outgoing.wait()
            self._outgoing.clear()
            for request in self._machine.take_requests(self._loop.time()):
                try:
                    await stream.send(request)
                except EOFError:
                    return
            self._arm_timer()

    # --- what changes lead to -----------------------------------------------------------------------------

    def _after_change(self) -> None:
        finish(self._following())

    def _following(self) -> Steps[None]:
        """Tell of what has changed, and fold it into the targets that need it."""
        changes = self._machine.take_changes()
        for kind, name in changes:
            yield
            self._reporter.resource(kind, name, self._machine.held(kind, name))
        yield from self._refreshing(self._needing(set(changes)))

    def _needing(self, keys: set[Key]) -> list[ActiveTarget]:
        if not keys:
            return []
        return [each for each in self._targets.values() if not keys.isdisjoint(each.dependencies.needs)]

    def _refreshing(self, targets: list[ActiveTarget]) -> Steps[None]:
        """Fold what is held into the targets, until none of them needs anything new."""
        while targets:
            for active in targets:
                yield from active.dependencies.preparing(self._machine.held)
                yield
                if not active.closed:
                    self._resolve(active)
            targets = self._needing(self._watch_what_is_needed())
        self._send()

    def _resolve(self, active: ActiveTarget) -> None:
        needs = active.dependencies.needs
        if active.resolve(self._machine.held, self._machine.stream_error):
            outcome = active.outcome
            state = "ready" if isinstance(outcome, Config) else getattr(outcome, "reason", "pending")
            self.observe(self.observer.config_changed, active.target.uri, state)
        self._interest.changed(needs, active.dependencies.needs)

    def _watch_what_is_needed(self) -> set[Key]:
        """Watch what is needed and not what is not; returns what is new to watch and yet known."""
        added, dropped = self._interest.settle()
        for kind, name in dropped:
            self._machine.unwatch(kind, name)
            self._reporter.cached(kind, name, None)
        for kind, name in added:
            self._machine.watch(kind, name)
            self._reporter.cached(kind, name, self._machine.held(kind, name))
        new = {key: self._machine.held(*key) for key in added}
        return {key for key, held in new.items() if held is not None and held.state is not State.REQUESTED}

    def _send(self) -> None:
        self._outgoing.set()
        self._arm_timer()

    def _arm_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._machine.deadline()
        if due is not None and not self._closed:
            self._timer = self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._machine.tick(self._loop.time())
        self._after_change()
