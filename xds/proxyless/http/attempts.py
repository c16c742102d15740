"""One request on its way to one endpoint, until its response has been read or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp


class Attempt:
    """Is told what became of it; the circuit breaker and outlier detection hear of its end."""

    def __init__(self) -> None:
        self.status: int | None = None
        """What outlier detection counts; None where the caller gave up, which is nobody's fault."""
        self.code = ""
        """How it ended as the observer is told: the status that came, or what there is instead of it."""
        self.ended = False
        self.cancelled = False
        self._callbacks: list[Callable[[Any], None]] = []
        self._response: aiohttp.ClientResponse | None = None
        self._limit: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call it when the attempt ends, at once where it has."""
        if self.ended:
            callback(self)
        else:
            self._callbacks.append(callback)

    def until(self, when: float | None) -> asyncio.Timeout:
        """The limit for the response's headers; `cancel` makes use of it, too."""
        self._limit = asyncio.timeout_at(when)
        return self._limit

    def answered(self, response: aiohttp.ClientResponse) -> None:
        """Take note of the response's headers; the attempt ends with its body."""
        self._response, self._limit = response, None
        self.status, self.code = response.status, str(response.status)
        if response.connection is None:
            self.end()
        else:
            response.connection.add_callback(self.end)

    def failed(self, status: int | None, error: BaseException) -> None:
        """There will be no response, but this error; `status` is what that counts as."""
        self.status, self.code = status, code_of(error)
        self._limit = None
        self.end()

    def limit(self, when: float, error: Exception) -> None:
        """Break the response off at this time: whoever reads it gets the error."""
        if not self.ended:
            self._timer = asyncio.get_running_loop().call_at(when, self._break_off, 504, error)

    def end(self) -> None:
        """Nothing more will come."""
        if self.ended:
            return
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        broken = self._response.content.exception() if self._response is not None else None
        # aiohttp's own plain one says that the caller did not want the rest.
        if broken is not None and type(broken) is not aiohttp.ClientConnectionError:
            self.code = code_of(broken)
            if isinstance(broken, aiohttp.ClientPayloadError):
                self.status = 503  # the endpoint left it unfinished
        for callback in self._callbacks:
            callback(self)

    def cancel(self) -> None:
        """Give it up; whoever waits for it gets an error."""
        if self.ended:
            return
        self.cancelled = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())
        self._break_off(None, aiohttp.ClientConnectionError("the session was closed"))

    def _break_off(self, status: int | None, error: Exception) -> None:
        if self._response is not None and not self.ended:
            self.status, self.code = status, code_of(error)
            self._response.content.set_exception(error)
            self._response.close()


def code_of(error: BaseException) -> str:
    """What the observer is told of a request that fails: the full name of the exception's class."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}"
