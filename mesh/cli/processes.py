"""Commands about processes: status, logs, kill, start, env, down."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal as signals

import click

from mesh.cli.options import ask, console, state_option
from mesh.crash import clean_up
from mesh.environment import past_proxies
from mesh.errors import MeshError, NotRunning
from mesh.logs import Tail, log_files
from mesh.objects import is_name
from mesh.remote import Remote
from mesh.state import StateFolder
from mesh.table import change_line, status_view


@click.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@state_option
def status(output: str, state: str) -> None:
    """Show what runs, where, and whether it has taken its configuration."""
    found = ask(state, lambda mesh: mesh.status())
    if output == "json":
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        console().print(status_view(found))


@click.command()
@click.argument("name", metavar="SERVICE[/VERSION]")
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written, until Ctrl-C.")
@state_option
def logs(name: str, follow: bool, state: str) -> None:
    """Print what a service, one version of it, or `controlplane` has written."""
    folder = StateFolder(state)
    files = log_files(folder, name)
    running = folder.is_locked()
    if not running:
        click.echo(f"No mesh is running in {folder}; this is what the last one wrote.", err=True)
    tail = Tail(files)
    for line in tail.read():
        click.echo(line)
    if follow and running:
        asyncio.run(_follow(tail, folder))


async def _follow(tail: Tail, folder: StateFolder) -> None:
    async for line in tail.follow(until=lambda: not folder.is_locked()):
        click.echo(line)


@click.command()
@click.argument("name", metavar="SERVICE/VERSION")
@click.option(
    "--signal",
    "name_of_signal",
    default="KILL",
    show_default=True,
    help="KILL is a crash; TERM takes the instance out of the mesh first and lets it finish.",
)
@state_option
def kill(name: str, name_of_signal: str, state: str) -> None:
    """End one process: an instance (`reviews/v2`) or `controlplane`."""
    number = parse_signal(name_of_signal)
    click.echo(change_line(ask(state, lambda mesh: mesh.kill(name, number))))


@click.command()
@click.argument("name", metavar="SERVICE/VERSION")
@state_option
def start(name: str, state: str) -> None:
    """Start a process that has ended; returns when it has its place in the mesh again."""
    click.echo(change_line(ask(state, lambda mesh: mesh.start(name))))


@click.command()
@click.argument("service")
@click.option("--version", default="v1", show_default=True, help="The version label to join with.")
@state_option
def env(service: str, version: str, state: str) -> None:
    """Print the environment with which a process of your own joins the mesh.

    \b
    eval "$(python -m mesh env my-client)"
    python my_client.py

    Each call hands out an address of its own, because Istio tells workloads apart by address.
    """
    for what, value in (("service", service), ("version", version)):
        if not is_name(value):
            raise MeshError(f"{value!r} is no {what}; only a-z, 0-9, '-' and '.' fit.")
    found = ask(state, lambda mesh: mesh.environment(service, version))
    for key, value in (found | past_proxies()).items():
        click.echo(f"export {key}={shlex.quote(value)}")


@click.command()
@state_option
def down(state: str) -> None:
    """Stop the mesh: no process, no port and no rule is left, only the logs."""
    folder = StateFolder(state)
    try:
        asyncio.run(_down(folder))
    except NotRunning:
        if not clean_up(folder):
            raise
        click.echo(f"The mesh in {folder} had crashed; what it left is gone. Its logs are in {folder}/logs.")
    else:
        click.echo(f"The mesh is down; its logs are in {folder}/logs.")


async def _down(folder: StateFolder) -> None:
    async with Remote(folder) as remote:
        await remote.request_down()
    await asyncio.to_thread(folder.wait_released)


def parse_signal(text: str) -> signals.Signals:
    """`TERM`, `SIGTERM`, `term` or `15`."""
    name = text.upper()
    try:
        if name.isdigit():
            return signals.Signals(int(name))
        return signals.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except (KeyError, ValueError):
        raise MeshError(f"{text!r} is no signal; KILL and TERM are the usual ones.") from None
