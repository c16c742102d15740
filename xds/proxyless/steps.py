"""Long work in steps: a generator that yields wherever whoever drives it may do something else in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work that returns a T in the end; no step takes long."""


def finish(steps: Steps[T]) -> T:
    """Take all the steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
