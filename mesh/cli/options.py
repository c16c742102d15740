"""Options that several commands take, and how a command runs its coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from rich.console import Console

from mesh.duration import duration
from mesh.remote import Remote
from mesh.state import StateFolder

T = TypeVar("T")
Command = Callable[..., Any]
_UNFOLDED = 1000


def state_option(command: Command) -> Command:
    """`--state`, the folder in which the mesh lives."""
    return click.option(
        "--state",
        type=click.Path(file_okay=False),
        default=".mesh",
        show_default=True,
        envvar="MESH_STATE",
        show_envvar=True,
        help="The folder in which the mesh keeps its rules, logs and socket.",
    )(command)


def istiod_option(command: Command) -> Command:
    """`--istiod`, a stock Istiod to run in place of the embedded control plane."""
    return click.option(
        "--istiod",
        type=click.Path(exists=True, dir_okay=False, resolve_path=True),
        metavar="PILOT-DISCOVERY",
        envvar="ISTIOD",
        show_envvar=True,
        help="Run this stock Istiod (1.29 or older) in place of the embedded control plane.",
    )(command)


def timeout_option(command: Command) -> Command:
    """`--timeout`, how long to wait for clients."""
    return click.option(
        "--timeout",
        type=duration,
        metavar="DURATION",
        default="10s",
        show_default=True,
        help="How long to wait for the clients that are affected.",
    )(command)


def console() -> Console:
    """Standard output; where it is no terminal, tables are as wide as they need to be, for grep and awk."""
    out = Console()
    return out if out.is_terminal else Console(width=_UNFOLDED)


def ask(state: str, question: Callable[[Remote], Awaitable[T]]) -> T:
    """Put a question to the running mesh."""

    async def run() -> T:
        async with Remote(StateFolder(state)) as remote:
            return await question(remote)

    return asyncio.run(run())
