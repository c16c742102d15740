"""How such a program is run."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click

Spec = dict[str, Any]


def main(measure: Callable[[Spec], Awaitable[Any]]) -> None:
    """Give `measure` the specification of the command line, and print what it returns."""
    result = asyncio.run(_of(measure, json.loads(sys.argv[1])))
    click.echo(json.dumps(result))


async def _of(measure: Callable[[Spec], Awaitable[Any]], spec: Spec) -> Any:
    return await measure(spec)


def settle_garbage() -> None:
    """Have the collector forget what is there, so that a turn pays for its own garbage and no more.

    It stays switched on.
    """
    gc.collect()
    gc.freeze()
