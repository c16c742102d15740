"""How a call comes to its route and cluster: wait for what is needed, decide, inject the route's fault.

The same for every kind of call; what the caller is told when there is no way is the kind's own.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

import grpc

from .balance import Status
from .breaker import ACTIVE_FAULTS
from .client import AdsClient
from .depgraph import Config, Failed
from .match import CallHeaders
from .routing import Chosen, Course, Refused, describe
from .targets import ActiveTarget


class Undecided(Protocol):
    """A call as the decision needs it; `deadline` and `started` are on the event loop's clock."""

    deadline: float | None
    started: float
    wait_for_ready: bool | None
    course: Course | None


class Decider(ABC):
    """Decides for the calls of one target."""

    def __init__(self, client: AdsClient, active: ActiveTarget) -> None:
        self._client = client
        self._active = active
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def close(self) -> None:
        """Decide no more: what waits fails as soon as the target is notified."""
        self._closed = True

    @property
    def _ended(self) -> bool:
        return self._closed or self._client.closed

    @abstractmethod
    def _headers(self, spec: Undecided) -> CallHeaders:
        """What the call offers to the matchers."""

    @abstractmethod
    def _error(self, code: grpc.StatusCode, reason: str, skipped: tuple[str, ...] = ()) -> Exception:
        """What the caller gets: UNAVAILABLE, DEADLINE_EXCEEDED or CANCELLED."""

    @abstractmethod
    def _aborted(self, status: int, reason: str, skipped: tuple[str, ...]) -> Exception:
        """What is raised for a call that a fault aborts."""

    async def _decide(self, spec: Undecided, *, retrying: bool) -> tuple[Config, Chosen | None]:
        """Wait until the call has a cluster that can serve it, injecting its fault on the way.

        For a retry, None says that nothing else can be had: the attempt before is the answer.
        """
        while True:
            if self._ended:
                raise self._error(grpc.StatusCode.CANCELLED, "the channel or session was closed")
            config = self._active.outcome
            deadline = spec.deadline
            if isinstance(config, Failed):
                waiting_for = self._wait_or_fail(spec, config.reason)
            elif not isinstance(config, Config):
                waiting_for = config.what
            else:
                config, choice = self._choose(config, spec)
                if isinstance(choice, Refused):
                    raise self._refused(config, spec, choice)
                deadline = self._deadline(config, choice, spec)
                if choice.fault:
                    await self._inject(spec, choice, deadline)
                    continue
                if choice.status is Status.USABLE:
                    return config, choice
                if choice.status is Status.UNUSABLE and retrying and not spec.wait_for_ready:
                    return config, None
                assert choice.cluster is not None  # only an abort has none, and that was injected
                waiting_for = (
                    f"route {describe(choice.route)}: cluster {choice.cluster.name}: {choice.reason}"
                )
                if choice.status is Status.UNUSABLE:
                    waiting_for += self._client.ambient(self._active, choice.cluster.name)
                    waiting_for = self._wait_or_fail(spec, waiting_for, choice.skipped)
            await self._wait(deadline, waiting_for)

    def _refused(self, config: Config, spec: Undecided, choice: Refused) -> Exception:
        """What is raised where no route sends the call to a cluster."""
        return self._error(grpc.StatusCode.UNAVAILABLE, choice.reason, choice.skipped)

    def _choose(self, config: Config, spec: Undecided) -> tuple[Config, Chosen | Refused]:
        course = spec.course
        if course is not None and course.table is not config.table:
            course = course.other  # the configuration before has decided last
        if course is None or course.table is not config.table:
            course = self._active.course(config, self._headers(spec))
        config, spec.course, choice = self._active.decide(config, course)
        return config, choice

    def _deadline(self, config: Config, choice: Chosen, spec: Undecided) -> float | None:
        """When the call has to be over: the caller's deadline or the route's timeout, both from its start."""
        timeout = config.timeout(choice.action)
        return spec.deadline if timeout is None else earlier(spec.deadline, spec.started + timeout)

    def _wait_or_fail(self, spec: Undecided, reason: str, skipped: tuple[str, ...] = ()) -> str:
        if spec.wait_for_ready:
            return reason
        raise self._error(grpc.StatusCode.UNAVAILABLE, reason, skipped)

    async def _wait(self, deadline: float | None, what: str) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._active.changed()
        except TimeoutError:
            raise self._error(
                grpc.StatusCode.DEADLINE_EXCEEDED, f"deadline exceeded while waiting: {what}"
            ) from None

    async def _sleep(self, seconds: float) -> None:
        """Wait so long; being closed ends it, and whoever decides next sees that."""
        try:
            async with asyncio.timeout(seconds):
                while not self._ended:
                    await self._active.changed()
        except TimeoutError:
            return

    async def _inject(self, spec: Undecided, choice: Chosen, deadline: float | None) -> None:
        fault = choice.fault
        ACTIVE_FAULTS.enter()
        try:
            if fault.delay:
                end = self._loop.time() + fault.delay
                until = end if deadline is None else min(deadline, end)
                await self._sleep(until - self._loop.time())
                if until < end and not self._ended:
                    raise self._error(
                        grpc.StatusCode.DEADLINE_EXCEEDED,
                        f"deadline exceeded in a delay injected by route {describe(choice.route)}",
                    )
        finally:
            ACTIVE_FAULTS.leave()
        if fault.abort is not None:
            reason = f"fault injected by route {describe(choice.route)}"
            raise self._aborted(fault.abort, reason, choice.skipped)
        assert spec.course is not None
        spec.course.suffered(choice.route)


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two moments; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
