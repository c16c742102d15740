"""The command group and what all commands share: options, errors, exit codes."""

from __future__ import annotations

import click

from mesh.cli.demo import demo
from mesh.cli.processes import down, env, kill, logs, start, status
from mesh.cli.rules import apply, delete, get
from mesh.cli.up import up
from mesh.commands import Commands, run
from mesh.errors import MeshError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def mesh() -> None:
    """Bookinfo on a proxyless service mesh, on this machine.

    `up` starts the control plane and every version of every service, each as a process of its own. The other
    commands are for another shell: kubectl's verbs for rules, and some for processes.
    """


for command in (up, apply, delete, get, status, logs, kill, start, env, down, demo):
    mesh.add_command(command)


def main() -> None:
    """Run the command line."""
    run(mesh, "python -m mesh", {MeshError: 1})
