"""`python -m bench`: measure, or write the page about what was measured."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click
from rich.console import Console

from bench.outcome import FILE, Outcome
from bench.plot import draw
from bench.report import ReportError, write
from bench.rows.every import ROWS
from bench.run import run
from bench.table import show
from mesh.commands import Commands
from mesh.commands import run as run_command

OUT = Path(".bench")
PLOT = "bench.svg"
_NAMES = [row.name for row in ROWS]


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--quick", is_flag=True, help="Smaller sizes and fewer rounds: under a minute, nothing is judged."
)
@click.option(
    "--only",
    multiple=True,
    metavar="ROW",
    type=click.Choice(_NAMES),
    help=f"Only these: {', '.join(_NAMES)}.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=OUT,
    show_default=True,
    help=f"Where {FILE} and {PLOT} go.",
)
@click.option("--seed", type=int, help="Of an earlier run, for the same order of rounds.")
@click.pass_context
def main(context: click.Context, quick: bool, only: tuple[str, ...], out: Path, seed: int | None) -> None:
    """Measure what proxyless costs, beside plain grpc.aio, gRPC's own xDS client and a real Envoy.

    Every process it starts ends with it. Progress goes to stderr, the table to stdout.
    """
    if context.invoked_subcommand is not None:
        return
    seed = secrets.randbelow(2**32) if seed is None else seed
    rows = [row for row in ROWS if (row.name in only if only else row.is_quick or not quick)]
    click.echo(f"seed {seed}", err=True)
    out.mkdir(parents=True, exist_ok=True)
    outcome = run(
        rows,
        quick=quick,
        seed=seed,
        tell=lambda line: click.echo(line, err=True),
        keep=lambda outcome: outcome.write(out / FILE),
    )
    show(outcome, Console(width=None if sys.stdout.isatty() else 160))
    figures = [figure for row in outcome.rows for figure in row.figures]
    written = [str(out / FILE)]
    if figures:
        try:
            draw(figures, out / PLOT)
            written.append(str(out / PLOT))
        except ImportError as error:
            click.echo(f"no plot: {error} (`make bench` installs what it needs)", err=True)
    click.echo(f"{outcome.about['seconds']:g} s; written: {', '.join(written)}", err=True)
    if any(row.error for row in outcome.rows):
        raise SystemExit(1)


@main.command()
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=OUT / FILE,
    show_default=True,
    help="What a whole run has written.",
)
@click.option(
    "--docs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs"),
    show_default=True,
    help="Where performance.md and its plots go.",
)
def report(source: Path, docs: Path) -> None:
    """Write docs/performance.md from a run."""
    for path in write(Outcome.read(source), docs):
        click.echo(path)


if __name__ == "__main__":
    run_command(main, "python -m bench", {ReportError: 2})
