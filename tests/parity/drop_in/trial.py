"""What the table of scenarios is made of: a program that uses a channel and notes what it sees."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from grpc import aio

from tests.fakes.scripted import Scripted

TARGET = "xds:///scripted:9080"
NAME = "scripted:9080"
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
WORDS = {kind: "".join(word.capitalize() for word in kind.split("_")) for kind in KINDS}

ISTIO_RETRY = {
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    "num_retries": 2,
    "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts"}],
    "host_selection_retry_max_attempts": "5",
}
"""What Istiod gives every route that says nothing of retries."""

EARLY, READY, RETRY, INTERCEPTED = "early", "ready", "retry", "intercepted"
MODES = (EARLY, READY, RETRY, INTERCEPTED)


# --- what the table is made of ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Differs:
    """Steps that are meant to differ from the plain channel in some modes, and why."""

    modes: Sequence[str]
    steps: Mapping[str, Any]
    why: str
    kinds: Sequence[str] = KINDS


@dataclass(frozen=True)
class Scenario:
    name: str
    run: Callable[[Trial], Awaitable[None]]
    kinds: Sequence[str]
    differs: Sequence[Differs]
    modes: Sequence[str]


SCENARIOS: dict[str, Scenario] = {}

Program: TypeAlias = Callable[["Trial"], Awaitable[None]]


def scenario(
    *differs: Differs, kinds: Sequence[str] = KINDS, modes: Sequence[str] | None = None
) -> Callable[[Program], Program]:
    def add(run: Program) -> Program:
        SCENARIOS[run.__name__] = Scenario(run.__name__, run, kinds, differs, modes or MODES)
        return run

    return add


UNARY_RESPONSE = ("unary_unary", "stream_unary")
STREAM_RESPONSE = ("unary_stream", "stream_stream")
STREAM_REQUEST = ("stream_unary", "stream_stream")


async def words(*messages: Any) -> AsyncIterator[Any]:
    for message in messages:
        yield message


@dataclass
class Trial:
    """One program at work: its channel, its server, and what it has noted."""

    kind: str
    channel: Any
    server: Scripted
    intercepted: bool = False
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def streams_requests(self) -> bool:
        return self.kind in STREAM_REQUEST

    def multicallable(self, behaviour: str, *codecs: Any) -> Any:
        return getattr(self.channel, self.kind)(f"/{behaviour}/{WORDS[self.kind]}", *codecs)

    def call(self, behaviour: str, *codecs: Any, request: Any = None, **arguments: Any) -> Any:
        """Make a call of the trial's kind, whose requests are `a` and, where there are two, `b`."""
        if request is None:
            request = words(b"a", b"b") if self.streams_requests else b"a"
        return self.multicallable(behaviour, *codecs)(request, **arguments)

    def open(self, behaviour: str, *codecs: Any, **arguments: Any) -> Any:
        """Make a call that is written to."""
        return self.multicallable(behaviour, *codecs)(**arguments)

    async def lose_the_server(self) -> None:
        """Stop the server, and wait until the channel knows."""
        await self.server.stop()
        while (state := self.channel.get_state()) is grpc.ChannelConnectivity.READY:
            await self.channel.wait_for_state_change(state)

    def note(self, step: str, value: Any) -> None:
        assert step not in self.record, step
        self.record[step] = self.plain(value)

    async def outcome(self, step: str, awaitable: Awaitable[Any]) -> None:
        """Note what comes of an awaitable."""
        self.note(step, await self.result(awaitable))

    async def end(self, step: str, call: Any) -> None:
        """Take a call to its end by the means of its kind, and note what came of it."""
        await self.outcome(step, call if self.kind in UNARY_RESPONSE else collect(call))

    async def result(self, awaitable: Awaitable[Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        try:
            return await awaitable
        except asyncio.CancelledError as error:
            assert not task.cancelling()
            return error
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
            return error

    def attempt(self, step: str, act: Callable[[], Any]) -> Any:
        """Do something that may raise at once, and note what came of it; calls are returned, not noted."""
        try:
            value = act()
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
            self.note(step, error)
            return None
        self.note(step, "a call" if isinstance(value, aio.Call) else value)
        return value

    def plain(self, value: Any) -> Any:
        """Anything as something that can be compared."""
        if isinstance(value, aio.AioRpcError):
            details = (value.details() or "").replace(self.server.address, "ADDRESS")
            metadata = [tuple(each or ()) for each in (value.initial_metadata(), value.trailing_metadata())]
            return ("AioRpcError", value.code().name, details, *metadata)
        if isinstance(value, BaseException):
            return (type(value).__name__, re.sub(" object at 0x[0-9a-f]+", "", str(value)))
        if isinstance(value, aio.Metadata):
            return tuple(value)
        if value is aio.EOF:
            return "EOF"
        if isinstance(value, grpc.StatusCode | grpc.ChannelConnectivity):
            return value.name
        if isinstance(value, str):
            return value.replace(self.server.address, "ADDRESS")
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        return value

    async def summary(self, call: Any) -> None:
        """Note everything a call object says of its end."""
        await self.outcome("code", call.code())
        await self.outcome("details", call.details())
        await self.outcome("initial metadata", call.initial_metadata())
        await self.outcome("trailing metadata", call.trailing_metadata())
        self.note("done", call.done())
        self.note("cancelled", call.cancelled())
        self.note("cancel after the end", call.cancel())


async def collect(call: Any) -> list[Any]:
    """Every response, then the error if there is one."""
    received: list[Any] = []
    try:
        async for message in call:
            received.append(message)
    except asyncio.CancelledError as error:
        received.append(error)
    except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
        received.append(error)
    return received
