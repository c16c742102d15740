"""What a test must not leave behind: tasks, child processes, gRPC channels, sockets."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
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


def sockets() -> set[str]:
    """The sockets that are open."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = os.readlink(each)
            if target.startswith("socket:"):
                found.add(target)
    return found


def left(look: Callable[[], set[Any]], before: set[Any]) -> set[Any]:
    """What is there that was not before, once everything had time to go."""
    deadline = time.monotonic() + PATIENCE
    while (found := look() - before) and time.monotonic() < deadline:
        time.sleep(0.02)  # the kernel tells nobody
    return found


async def tasks_left(before: set[asyncio.Task[Any]]) -> Iterator[str]:
    """The tasks that were not there before and do not end."""
    mine = asyncio.current_task()
    found = {each for each in asyncio.all_tasks() if each is not mine} - before
    if found:
        _, found = await asyncio.wait(found, timeout=PATIENCE)
    return iter(sorted(str(each.get_coro()) for each in found))
