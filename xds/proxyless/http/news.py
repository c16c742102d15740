"""What the observer is told of HTTP requests, as `proxyless.news` tells of calls."""

from __future__ import annotations

import asyncio
import contextvars

from ..client import AdsClient
from ..observer import Attempt as Told
from .attempts import Attempt


class RequestNews:
    """Tells the observer of the requests to one target."""

    def __init__(self, client: AdsClient, target: str) -> None:
        self._client = client
        self._observer = client.observer
        self._target = target
        self._loop = asyncio.get_running_loop()

    def routed(self, told: Told, attempt: Attempt) -> None:
        """An attempt has started."""
        started, context = self._loop.time(), contextvars.copy_context()

        def ended(attempt: Attempt) -> None:
            seconds = self._loop.time() - started
            context.run(self._client.observe, self._observer.attempt_ended, told, attempt.code, seconds)

        self._client.observe(self._observer.call_routed, told)
        attempt.add_done_callback(ended)

    def retried(self, told: Told, code: str) -> None:
        """It failed, and another follows."""
        self._client.observe(self._observer.call_retried, told, code)

    def answered(self, method: str, started: float, attempts: int, attempt: Attempt) -> None:
        """A request got a response, and is over with the body of it."""
        context = contextvars.copy_context()
        attempt.add_done_callback(
            lambda attempt: context.run(self.over, method, started, attempts, attempt.code)
        )

    def over(self, method: str, started: float, attempts: int, code: str) -> None:
        """A request has ended."""
        seconds = self._loop.time() - started
        self._client.observe(self._observer.call_ended, self._target, method, code, seconds, attempts)
