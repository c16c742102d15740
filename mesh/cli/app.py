"""The command group and what all commands share: options, errors, exit codes."""

from __future__ import annotations

import io
import sys

import click

from mesh.cli.demo import demo
from mesh.cli.processes import down, env, kill, logs, start, status
from mesh.cli.rules import apply, delete, get
from mesh.cli.up import up
from mesh.errors import MeshError

_WHOLE = 1000


class _Group(click.Group):
    """Lists its commands in the order in which a person meets them, each with its whole first sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(limit=_WHOLE)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def mesh() -> None:
    """Bookinfo on a proxyless service mesh, on this machine.

    `up` starts the control plane and every version of every service, each as a process of its own. The other
    commands are for another shell: kubectl's verbs for rules, and some for processes.
    """


for command in (up, apply, delete, get, status, logs, kill, start, env, down, demo):
    mesh.add_command(command)


def main() -> None:
    """Run the command line; an error is one sentence on stderr and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no arrows and check marks gets question marks for them, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = mesh.main(prog_name="python -m mesh", standalone_mode=False)
    except MeshError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    except BrokenPipeError:
        # `mesh logs | head` is no error; a message would go nowhere.
        raise SystemExit(141) from None
    raise SystemExit(code if isinstance(code, int) else 0)
