"""What a test must not leave behind: tasks, child processes, gRPC channels.

Descriptors are counted where that can be done, in the soak and in test_channel_churn: gRPC keeps some of
its own from one test to another.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar
from weakref import WeakSet

from grpc.aio import _channel

PATIENCE = 10.0
"""Seconds in which what has been told to end has to have ended, on a machine that does other things."""

_channels: WeakSet[Any] = WeakSet()
_make = _channel.Channel.__init__


def _noted(self: Any, *args: Any, **kwargs: Any) -> None:
    _make(self, *args, **kwargs)
    _channels.add(self)


def note_channels() -> None:
    """Keep an eye on every gRPC channel that is made from now on."""
    _channel.Channel.__init__ = _noted  # type: ignore[method-assign]


def open_channels() -> set[Any]:
    """The channels that have not been closed, and that somebody still holds."""
    return {each for each in _channels if not each._channel.closed()}


def children() -> dict[int, str]:
    """This process's child processes that have not ended, by PID, with what they were started as."""
    found = {}
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for pid in listed.read_text(encoding="ascii").split():
                with suppress(OSError):
                    state = (
                        Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
                    )
                    command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
                    if state != "Z":
                        found[int(pid)] = command
    return found


def tasks() -> dict[asyncio.Task[Any], str]:
    """The running loop's tasks but the one that asks, with what they run; none where no loop runs."""
    try:
        found = asyncio.all_tasks() - {asyncio.current_task()}
    except RuntimeError:
        return {}
    return {each: getattr(each.get_coro(), "__qualname__", "") for each in found}


T = TypeVar("T")


def more(before: Mapping[T, str], now: Mapping[T, str]) -> set[T]:
    """What was not there before, but for what is of the same kind as something that has ended.

    What a test shares with others may start a process anew, or wait for the next call in another task.
    """
    ended = Counter(kind for each, kind in before.items() if each not in now)
    found = set()
    for each, kind in now.items():
        if each not in before:
            if ended[kind]:
                ended[kind] -= 1
            else:
                found.add(each)
    return found


@dataclass(frozen=True)
class Left:
    """What there was before a test."""

    children: dict[int, str]
    channels: set[Any]
    tasks: dict[asyncio.Task[Any], str]

    @classmethod
    def now(cls) -> Self:
        """What there is."""
        return cls(children(), open_channels(), tasks())

    def since(self) -> set[Any]:
        """What there is more of than there was; one look."""
        if open_channels() - self.channels:
            gc.collect()  # one that nobody holds is closed by that
        running = children()
        return (
            {f"{pid} {running[pid]}" for pid in more(self.children, running)}
            | (open_channels() - self.channels)
            | {str(each) for each in more(self.tasks, tasks())}
        )

    def after_all(self) -> set[Any]:
        """The same once everything had time to go."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.since()) and time.monotonic() < deadline:
            time.sleep(0.02)  # the kernel tells nobody
        return found

    async def after_all_in_loop(self) -> set[Any]:
        """The same for what needs the event loop to go."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.since()) and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
        return found
