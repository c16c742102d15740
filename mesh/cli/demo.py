"""`mesh demo`: the walkthrough."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.console import Console

from mesh.cli.options import istiod_option
from mesh.walkthrough import run_demo


@click.command()
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to keep the logs; a temporary folder, kept only if a step fails, if not given.",
)
@istiod_option
def demo(state: Path | None, istiod: str | None) -> int:
    """Walk through all that lanes do, on a mesh of its own; fails if a step was not as it should be."""
    return asyncio.run(run_demo(Console(highlight=False), state, istiod=Path(istiod) if istiod else None))
