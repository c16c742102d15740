"""Options that several commands take, and how a command answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes.baggage import is_key
from lanes.change import dump
from lanes.cli.place import CLUSTER, DEFAULT_STATE, STATE, VARIABLES
from lanes.cli.target import Target
from lanes.spec import lane_name_fault
from mesh.duration import duration

Command = Callable[..., Any]
_UNFOLDED = 1000
_PATIENCE = 2.0


def target_options(command: Command) -> Command:
    """Which mesh, `--key` and `--timeout`, given to the command as `target`."""

    def with_target(*arguments: Any, lane_key: str, timeout: float | None, **others: Any) -> Any:
        source = click.get_current_context().get_parameter_source
        named = {name: value for name in (STATE, *CLUSTER) if (value := others.pop(name)) is not None}
        options = {
            name: value for name, value in named.items() if source(name) is ParameterSource.COMMANDLINE
        }
        variables = {name: value for name, value in named.items() if name not in options}
        return command(*arguments, target=Target(options, variables, lane_key, timeout), **others)

    with_target.__doc__, with_target.__name__ = command.__doc__, command.__name__
    with_target.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in _TARGET:
        with_target = option(with_target)
    return with_target


def _lane_key(_: click.Context, __: click.Parameter, value: str) -> str:
    if not is_key(value):
        raise click.BadParameter(f"{value!r} cannot be the key of a baggage member.")
    return value


_TARGET = (
    click.option(
        "--timeout",
        type=duration,
        metavar="DURATION",
        help="How long to wait for those who are to take a change, and for versions to start.  "
        "[default: 10s, and 1m for versions to start; in a cluster 2m]",
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
        "--kubeconfig",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Means a cluster: the one of this file.  [default: $KUBECONFIG, ~/.kube/config]",
    ),
    click.option(
        "-n",
        "--namespace",
        metavar="NAME",
        envvar=VARIABLES["namespace"],
        show_envvar=True,
        help="Means a cluster: this namespace of it.  [default: the context's]",
    ),
    click.option(
        "--context",
        metavar="NAME",
        envvar=VARIABLES["context"],
        show_envvar=True,
        help="Means a cluster: the one of this context.  [default: the current context]",
    ),
    click.option(
        "--state",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
        envvar=VARIABLES[STATE],
        show_envvar=True,
        help=f"Means a mesh on this machine: its state folder.  [default: {DEFAULT_STATE}]",
    ),
)

output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change as a diff, and stop.")


def _time_to_live(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Seconds; 0 for never, None where nothing is said."""
    if value is None or value == "never":
        return 0.0 if value else None
    seconds = duration(value)
    if not seconds:
        raise click.BadParameter("A lane that ends at once is none; write 8h, or never.")
    return seconds


ttl_option = click.option(
    "--ttl",
    callback=_time_to_live,
    metavar="DURATION|never",
    help="After this time `lanes prune` deletes the lane.  [default: never]",
)


def lane_name(_: click.Context, __: click.Parameter, value: str) -> str:
    """The name of a lane, or a usage error with the reason."""
    if fault := lane_name_fault(value):
        raise click.BadParameter(f"The lane name {value!r} {fault}.")
    return value


def _lane_names(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys(lane_name(context, parameter, value) for value in values))


lane_argument = click.argument("lane", callback=lane_name, metavar="LANE")
lanes_argument = click.argument("lanes", callback=_lane_names, metavar="LANE...", nargs=-1, required=True)


def services_given(_: click.Context, __: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """What is given for each service; the target knows what that may be."""
    found: dict[str, str] = {}
    for value in values:
        service, equals, version = value.partition("=")
        if not equals or not service or not version.strip():
            raise click.BadParameter(f"{value!r} is not SERVICE=VERSION, SERVICE=COMMAND or SERVICE=IMAGE.")
        if service in found:
            raise click.BadParameter(f"{service} is given twice.")
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
        metavar="NAME=WHAT",
        help="A service and the version the lane has of it; or what to run as that version: on this machine "
        "a folder with the service's package, a script or a command (reviews=./reviews), in a cluster an "
        "image (reviews=registry.example/reviews:dev).",
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
