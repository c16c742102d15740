"""Long work between everything else that an event loop has to do."""

from __future__ import annotations

import asyncio
import gc
from time import monotonic
from typing import TypeVar

from .steps import Steps

T = TypeVar("T")

SLICE = 0.002
"""Seconds after which others get their turn."""


async def in_slices(steps: Steps[T]) -> T:
    """Take the steps one after the other, and let the event loop run every two milliseconds."""
    while True:
        try:
            _take_a_slice(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        await a_turn_for_others()


async def a_turn_for_others() -> None:
    """Let all run that is due by now."""
    # In the next turn the event loop finds what has come due, in the one after it runs the tasks that waited
    # for that; each time after whoever waited for the turn alone.
    for _ in range(3):
        await asyncio.sleep(0)


def _take_a_slice(steps: Steps[T]) -> None:
    """Take steps until the time is up; raises StopIteration as they do."""
    # What they make is made to stay. Were it searched for garbage all the while, the collector would soon go
    # through everything the process has, which takes longer than any slice.
    collecting = gc.isenabled()
    gc.disable()
    try:
        until = monotonic() + SLICE
        next(steps)
        while monotonic() < until:
            next(steps)
    finally:
        if collecting:
            gc.enable()
