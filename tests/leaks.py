"""What a test must not leave behind: tasks, child processes, gRPC channels.

Descriptors are counted where that can be done, in the soak and in test_channel_churn: gRPC keeps some of
its own from one test to another.
"""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
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


def children() -> set[str]:
    """This process's child processes that have not ended, with what they were started as."""
    found = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for pid in listed.read_text(encoding="ascii").split():
                with suppress(OSError):
                    state = (
                        Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
                    )
                    command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
                    if state != "Z":
                        found.add(f"{pid} {command}")
    return found


@dataclass(frozen=True)
class Left:
    """What there was before a test."""

    children: set[str]
    channels: set[Any]

    @classmethod
    def now(cls) -> Self:
        """What there is."""
        return cls(children(), open_channels())

    def since(self) -> set[Any]:
        """What there is more of than there was; one look."""
        if open_channels() - self.channels:
            gc.collect()  # one that nobody holds is closed by that
        return (children() - self.children) | (open_channels() - self.channels)

    def after_all(self) -> set[Any]:
        """The same once everything had time to go."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.since()) and time.monotonic() < deadline:
            time.sleep(0.02)  # the kernel tells nobody
        return found

    async def after_all_of(self, tasks: set[asyncio.Task[Any]]) -> set[Any]:
        """The same for what needs the event loop to go; with the tasks that were not there before."""
        running = asyncio.all_tasks() - tasks - {asyncio.current_task()}
        if running:
            _, running = await asyncio.wait(running, timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while (found := self.since()) and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
        return found | {str(each) for each in running}
