"""Options that several commands take, how a command reaches its mesh, and how it answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes.baggage import is_key
from lanes.change import dump
from lanes.cli.mesh_store import MeshStore
from lanes.spec import lane_name_fault, version_fault
from lanes.store import LaneStore
from lanes.workload import names_workload
from mesh.duration import duration
from mesh.state import StateFolder

T = TypeVar("T")
Command = Callable[..., Any]
_UNFOLDED = 1000
_PATIENCE = 2.0


@dataclass(frozen=True)
class Target:
    """Which mesh, and what in its baggage names the lane."""

    state: str
    lane_key: str
    timeout: float

    def run(self, question: Callable[[LaneStore], Coroutine[Any, Any, T]]) -> T:
        """Put a question to the mesh."""

        async def ask() -> T:
            async with MeshStore(StateFolder(self.state), self.lane_key, self.timeout) as store:
                return await question(store)

        return asyncio.run(ask())


def target_options(command: Command) -> Command:
    """`--state`, `--key` and `--timeout`, given to the command as `target`."""

    def with_target(*arguments: Any, state: str, lane_key: str, timeout: float, **others: Any) -> Any:
        return command(*arguments, target=Target(state, lane_key, timeout), **others)

    with_target.__doc__, with_target.__name__ = command.__doc__, command.__name__
    with_target.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option(
            "--timeout",
            type=duration,
            metavar="DURATION",
            default="10s",
            show_default=True,
            help="How long to wait for those who are to take a change.",
        ),
        click.option(
            "--key",
            "lane_key",
            callback=_lane_key,
            default="env",
            show_default=True,
            envvar="LANE_KEY",
            help="The member of `baggage` that names the lane.",
        ),
        click.option(
            "--state",
            type=click.Path(file_okay=False),
            default=".mesh",
            show_default=True,
            envvar="MESH_STATE",
            show_envvar=True,
            help="The state folder of the mesh on this machine.",
        ),
    ):
        with_target = option(with_target)
    return with_target


output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change as a diff, and stop.")


def _lane_key(_: click.Context, __: click.Parameter, value: str) -> str:
    if not is_key(value):
        raise click.BadParameter(f"{value!r} cannot be the key of a baggage member.")
    return value


def lane_name(_: click.Context, __: click.Parameter, value: str) -> str:
    """The name of a lane, or a usage error with the reason."""
    if fault := lane_name_fault(value):
        raise click.BadParameter(f"The lane name {value!r} {fault}.")
    return value


lane_argument = click.argument("lane", callback=lane_name, metavar="LANE")


def services_given(_: click.Context, __: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """`SERVICE=VERSION` or `SERVICE=COMMAND`, by service."""
    found: dict[str, str] = {}
    for value in values:
        service, equals, version = value.partition("=")
        if not equals or not service or not version.strip():
            raise click.BadParameter(f"{value!r} is not SERVICE=VERSION or SERVICE=COMMAND.")
        if service in found:
            raise click.BadParameter(f"{service} is given twice.")
        if not names_workload(version) and (fault := version_fault(version)):
            raise click.BadParameter(f"The version {version!r} of {service} {fault}.")
        found[service] = version
    return found


def service_option(*, required: bool) -> Callable[[Command], Command]:
    """`--service reviews=v2`, several times."""
    return click.option(
        "-s",
        "--service",
        "services",
        multiple=True,
        required=required,
        callback=services_given,
        metavar="NAME=VERSION|COMMAND",
        help="A service and the version the lane has of it; or what to run as that version, a folder "
        "with the service's package, a script or a command: reviews=./reviews.",
    )


# -- answers


def show(output: str, data: Any, table: Callable[[], Table | Text]) -> None:
    """The same answer for a person or a program."""
    if output == "json":
        click.echo(json.dumps(data, indent=2, default=str))
    elif output == "yaml":
        click.echo(dump(json.loads(json.dumps(data, default=str))), nl=False)
    else:
        out = Console()
        (out if out.is_terminal else Console(width=_UNFOLDED)).print(table())


def table_of(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str] | None = None
) -> Table:
    """A table as kubectl prints them; a cell whose first word is in `styles` is coloured so."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column != columns[-1])
    for row in rows:
        table.add_row(*(Text(cell, style=(styles or {}).get(cell.split(" ")[0], "")) for cell in row))
    return table


@asynccontextmanager
async def progress(text: str) -> AsyncIterator[None]:
    """Say on stderr what is being waited for, once it takes longer than people like to wait."""

    async def say() -> None:
        await asyncio.sleep(_PATIENCE)
        click.echo(f"{text} ...", err=True)

    saying = asyncio.create_task(say())
    try:
        yield
    finally:
        saying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saying
