"""What every command line of this repository does: how it lists its commands, and how it ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping

import click

_WHOLE = 1000


class Commands(click.Group):
    """Lists its commands in the order in which a person meets them, each with its whole first sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(limit=_WHOLE)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def run(group: click.Group, name: str, codes: Mapping[type[Exception], int]) -> None:
    """Run a command line; an error of `codes` is one sentence on stderr and that exit code.

    Where several of them fit, the first counts.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no arrows and check marks gets question marks for them, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = group.main(prog_name=name, standalone_mode=False)
    except tuple(codes) as error:
        click.echo(str(error), err=True)
        raise SystemExit(next(codes[kind] for kind in codes if isinstance(error, kind))) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        raise SystemExit(130) from None
    except BrokenPipeError:
        # `mesh logs | head` is no error; a message would go nowhere.
        raise SystemExit(141) from None
    raise SystemExit(code if isinstance(code, int) else 0)
