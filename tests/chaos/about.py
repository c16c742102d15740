"""Of what a run was, and where: without this its figures say nothing."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from bench.machine import commit, load, machine, versions


def about(
    target: str, seed: int, given: argparse.Namespace, parser: argparse.ArgumentParser
) -> dict[str, Any]:
    """To be asked before the run, which is no load of somebody else's.

    The command is that of `target` in the Makefile, unless the run was given more than a seed.
    """
    more = {name: value for name, value in vars(given).items() if value != parser.get_default(name)}
    asked = [
        f"--{name} {each}" for name in sorted(more.keys() & {"only", "seconds"}) for each in _all(more[name])
    ]
    return {
        "command": " ".join([f"{parser.prog} --seed {seed}", *asked])
        if asked
        else f"make {target} SEED={seed}",
        "commit": commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "load_before": load(),
    }


def _all(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
