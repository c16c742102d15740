"""What the observer is told of calls. How a call ends is asked only where the observer wants to know."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import grpc
from grpc import aio

from .client import AdsClient
from .observer import Attempt, Observer


class CallNews:
    """Tells the observer of the calls of one channel."""

    def __init__(self, client: AdsClient, target: str) -> None:
        self._client = client
        self._observer = client.observer
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._asking: set[asyncio.Task[None]] = set()
        self.wants_routed = _overridden(client.observer, "call_routed", "attempt_ended")
        self._wants_attempts = _overridden(client.observer, "attempt_ended")
        self.wants_calls = _overridden(client.observer, "call_ended")
        self._wants_both = _overridden(client.observer, "sole_attempt_ended") and not _later(
            client.observer, "sole_attempt_ended", "attempt_ended", "call_ended"
        )

    def routed(self, attempt: Attempt, call: aio.Call) -> None:
        """An attempt has started."""
        self._client.observe(self._observer.call_routed, attempt)
        if self._wants_attempts:
            self._when_done(call, lambda code, seconds: self._observer.attempt_ended(attempt, code, seconds))

    def begun(self, attempt: Attempt) -> First:
        """A first attempt has started; what is returned has to be told of its end."""
        self._client.observe(self._observer.call_routed, attempt)
        return First(self, attempt, self._loop.time(), contextvars.copy_context())

    def first_ended(self, attempt: Attempt, code: str, seconds: float, over: bool) -> None:
        """It has ended, and the call with it if that is `over`."""
        observer, tell = self._observer, self._client.observe
        if over and self._wants_both:
            tell(observer.sole_attempt_ended, attempt, code, seconds)
            return
        if self._wants_attempts:
            tell(observer.attempt_ended, attempt, code, seconds)
        if over and self.wants_calls:
            tell(observer.call_ended, self._target, attempt.method, code, seconds, 1)

    def retried(self, attempt: Attempt, code: str) -> None:
        """It failed, and another follows."""
        self._client.observe(self._observer.call_retried, attempt, code)

    def made(
        self, call: aio.Call, method: str, attempts: Callable[[], int], started: float | None = None
    ) -> None:
        """A call was made, now unless it says when; `attempts` is asked at its end, how many it took."""
        if self.wants_calls:
            observer, target = self._observer, self._target
            self._when_done(
                call,
                lambda code, seconds: observer.call_ended(target, method, code, seconds, attempts()),
                started,
            )

    def _when_done(
        self, call: aio.Call, tell: Callable[[str, float], None], began: float | None = None
    ) -> None:
        started = self._loop.time() if began is None else began
        context = contextvars.copy_context()
        told = False

        def done(_: Any) -> None:
            nonlocal told
            if told:
                return  # grpc.aio may say it twice
            told = True
            seconds = self._loop.time() - started
            code = _code_at_once(call)
            if code is not None:
                context.run(self._client.observe, tell, code.name, seconds)
                return
            task = self._loop.create_task(self._tell(call, tell, seconds), context=context)
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

        call.add_done_callback(done)

    async def _tell(self, call: aio.Call, tell: Callable[[str, float], None], seconds: float) -> None:
        try:
            code = await call.code()
        except Exception:  # noqa: BLE001 - the caller's own error, a serializer's say, which is no status
            code = grpc.StatusCode.UNKNOWN
        self._client.observe(tell, code.name, seconds)


class First:
    """A first attempt of which the observer wants to know more; `ended` is to be called once."""

    __slots__ = ("_attempt", "_context", "_news", "_started")

    def __init__(
        self, news: CallNews, attempt: Attempt, started: float, context: contextvars.Context
    ) -> None:
        self._news = news
        self._attempt = attempt
        self._started = started
        self._context = context

    def ended(self, code: str) -> None:
        """It ended so, and the call with it."""
        seconds = asyncio.get_running_loop().time() - self._started
        self._context.run(self._news.first_ended, self._attempt, code, seconds, True)

    def failed(self, code: str, call: aio.Call, attempts: Callable[[], int]) -> None:
        """It ended so, and others follow; at the end of the call, `attempts` is asked how many there were."""
        seconds = asyncio.get_running_loop().time() - self._started
        self._context.run(self._news.first_ended, self._attempt, code, seconds, False)
        self._context.run(self._news.made, call, self._attempt.method, attempts, self._started)


def _code_at_once(call: aio.Call) -> grpc.StatusCode | None:
    """How a call that is over went, where that is known without waiting: a task for each costs a lot."""
    asking = call.code().__await__()
    try:
        next(asking)
    except StopIteration as known:
        code: grpc.StatusCode = known.value
        return code
    except Exception:  # noqa: BLE001 - as above
        return grpc.StatusCode.UNKNOWN
    asking.close()
    return None


def _overridden(observer: Observer, *methods: str) -> bool:
    return any(getattr(type(observer), each) is not getattr(Observer, each) for each in methods)


def _later(observer: Observer, first: str, *others: str) -> bool:
    """Whether one of the others was overridden after the first, by a class that may know nothing of that."""
    overrides = next(each for each in type(observer).__mro__ if first in vars(each))
    return any(getattr(overrides, each) is not getattr(type(observer), each) for each in others)
