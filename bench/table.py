"""The figures of a run as a table on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.figures import ENVOY, GRPC, OURS, SECOND, Figure
from bench.outcome import Outcome
from bench.statistics import Estimate

PEERS = (OURS, SECOND, GRPC, ENVOY)
_COLOURS = {"met": "green", "missed": "red", "open": "yellow", "": ""}


def show(outcome: Outcome, console: Console) -> None:
    """Print it."""
    console.print(Group(*_tables(outcome)))


def _tables(outcome: Outcome) -> Iterator[RenderableType]:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("row", style="cyan")
    table.add_column("what", max_width=46)
    for title in ("reach", *PEERS):
        table.add_column(title, justify="right")
    for row in outcome.rows:
        for figure in row.figures:
            table.add_row(row.row, what(figure), _reach(figure, outcome.judged), *_cells(figure))
            if figure.remark:
                table.add_row("", Text(figure.remark, style="dim"))
        if row.error:
            table.add_row(row.row, Text(row.error, style="red"))
    yield table
    yield Text(
        "A figure is a median, with the interval of 95 % that its rounds give; differences and ratios are of"
        " what was measured in the same round. The second plain channel shows the noise.",
        style="dim",
    )
    if not outcome.judged:
        yield Text(
            "A quick run: sizes are smaller than the reach is meant for, nothing is judged.", style="dim"
        )


def what(figure: Figure) -> str:
    """Its words and its unit."""
    return f"{figure.what} ({figure.unit})" if figure.unit else figure.what


def _reach(figure: Figure, judged: bool) -> Text:
    if figure.reach is None:
        return Text("")
    verdict = figure.verdict if judged else ""
    return Text(f"{figure.reach} {verdict}".rstrip(), style=_COLOURS[verdict])


def _cells(figure: Figure) -> Iterator[str]:
    for peer in PEERS:
        yield cell(figure.found[peer]) if peer in figure.found else ""


def cell(found: Estimate) -> str:
    """A median and its interval."""
    if found.n == 1:
        return number(found.value)
    return f"{number(found.value)}\n{number(found.low)} … {number(found.high)}"


def number(value: float) -> str:
    """With as many digits as mean anything."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}".replace("-", "−")
