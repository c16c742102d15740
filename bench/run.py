"""A run: row after row, the processes of each ended before the next."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import commit, load, machine, versions
from bench.outcome import Measured, Outcome
from bench.processes import ProcessError, Processes, enough_descriptors
from bench.rows.row import Row
from bench.stage import Scale, Stage

Tell = Callable[[str], None]
Keep = Callable[[Outcome], None]


def run(rows: Sequence[Row], *, quick: bool, seed: int, tell: Tell, keep: Keep) -> Outcome:
    """Measure these rows; one that fails does not keep the others from being measured.

    `keep` is given what there is after each row, so that a run that is ended has not been for nothing.
    """
    about: dict[str, Any] = {
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "seed": seed,
        "quick": quick,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": load(),
    }
    began = time.monotonic()
    enough_descriptors()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with (
            closing(Processes(folder)) as processes,
            Stage(processes, folder, Scale(quick), seed) as stage,
        ):
            measured: list[Measured] = []
            for each in _measured(rows, stage, tell):
                measured.append(each)
                about |= {"seconds": round(time.monotonic() - began, 1), "load_after": load()}
                keep(Outcome(about, measured))
    return Outcome(about, measured)


def _last_words(error: ProcessError) -> str:
    """The last line that says anything."""
    lines = str(error).splitlines()
    return next((line.strip() for line in reversed(lines) if any(map(str.isalnum, line))), "failed")


def _measured(rows: Sequence[Row], stage: Stage, tell: Tell) -> Iterator[Measured]:
    for number, row in enumerate(rows, 1):
        tell(f"{number}/{len(rows)} {row.name}: {row.what}")
        began = time.monotonic()
        try:
            figures = row.measure(stage)
        except ProcessError as error:
            tell(f"    {error}")
            yield Measured(row.name, row.what, time.monotonic() - began, error=_last_words(error))
        else:
            took = time.monotonic() - began
            tell(f"    {took:.0f} s")
            yield Measured(row.name, row.what, took, figures)
