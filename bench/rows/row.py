"""A row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.figures import Figure
from bench.stage import Stage


@dataclass(frozen=True)
class Row:
    """One thing that is measured; `--only` names it."""

    name: str
    what: str
    measure: Callable[[Stage], Sequence[Figure]]
    is_quick: bool = True
    """Whether a quick run has time for it."""
