"""docs/performance.md, from what a run has found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import OURS, Figure
from bench.outcome import FILE, Measured, Outcome
from bench.plot import draw
from bench.rows.every import GROUPS
from bench.table import PEERS, cell, what

NAME = "performance"
_PAGE = Path(__file__).parent / "page"
_YOUNGER = "the run is older than the row"
_METHOD, _LIMITS = _PAGE / "method.md", _PAGE / "limits.md"


class ReportError(Exception):
    """The page cannot be written from this run."""


def write(outcome: Outcome, docs: Path) -> list[Path]:
    """Write the page, plots and every round; returns the paths. Raises ReportError for an unfit run."""
    if outcome.about["quick"]:
        raise ReportError("A quick run is not for quoting.")
    found = {row.row for row in outcome.rows}
    if missing := [row.name for rows in GROUPS.values() for row in rows if row.name not in found]:
        raise ReportError(f"The run left out {', '.join(missing)}.")
    plots = docs / NAME
    plots.mkdir(parents=True, exist_ok=True)
    written = [docs / f"{NAME}.md", plots / FILE]
    written[0].write_text(page(outcome), encoding="utf-8")
    outcome.write(written[1])
    for title, rows in _by_title(outcome).items():
        written.append(docs / _plot(title))
        draw([figure for row in rows for figure in row.figures], written[-1])
    return written


def page(outcome: Outcome) -> str:
    """The text of the page; a row that is younger than the run says so."""
    sections = [_METHOD.read_text(encoding="utf-8"), "\n".join(_about(outcome)), ""]
    sections += ["\n".join(_section(title, rows)) for title, rows in _by_title(outcome).items()]
    sections += [_LIMITS.read_text(encoding="utf-8"), "\n".join(short(outcome.rows)), ""]
    return "\n".join(sections)


def _by_title(outcome: Outcome) -> dict[str, list[Measured]]:
    found = {row.row: row for row in outcome.rows}
    return {
        title: [found.get(row.name, Measured(row.name, row.what, 0, error=_YOUNGER)) for row in rows]
        for title, rows in GROUPS.items()
    }


def _plot(title: str) -> str:
    return f"{NAME}/{title.split(maxsplit=1)[0].lower()}.svg"


def _about(outcome: Outcome) -> Iterator[str]:
    about = outcome.about
    machine, versions = about["machine"], about["versions"]
    yield "## This run"
    yield ""
    day, took = about["started"][:10], about["seconds"]
    yield f"- commit `{about['commit']}`, {day}, seed {about['seed']}, {took:.0f} s"
    size = f"{machine['cores']} cores, {machine['memory_gib']} GiB"
    yield f"- {machine['processor']}, {size}, {machine['system']}"
    yield f"- load average {about['load_before']} before, {about['load_after']} after"
    yield f"- {', '.join(f'{name} {number}' for name, number in versions.items())}"


def _section(title: str, rows: Sequence[Measured]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield f"`{_command(rows)}`"
    yield ""
    yield f"| what | reach | {' | '.join(PEERS)} |"
    yield f"| --- | --- |{' --- |' * len(PEERS)}"
    for row in rows:
        for figure in row.figures:
            yield _line(figure)
        if row.error:
            yield f"| {row.what} | could not be measured: {row.error} |{' |' * len(PEERS)}"
    yield ""
    yield f"![{title}]({_plot(title)})"
    yield ""


def _command(rows: Sequence[Measured]) -> str:
    """What measures these rows alone."""
    return " ".join(["python -m bench", *(f"--only {row.row}" for row in rows)])


def _line(figure: Figure) -> str:
    reach = f"{figure.reach}<br>{figure.verdict}" if figure.reach else ""
    cells = [cell(figure.found[peer]).replace("\n", "<br>") if peer in figure.found else "" for peer in PEERS]
    remark = figure.remark.replace("|", "\\|")
    said = f"<br><sub>{remark}</sub>" if remark else ""
    return f"| {what(figure)}{said} | {reach} | {' | '.join(cells)} |"


def short(rows: Sequence[Measured]) -> Iterator[str]:
    """What does not reach what it is to reach, said plainly."""
    short = [figure for row in rows for figure in row.figures if figure.verdict in ("missed", "open")]
    failed = [row for row in rows if row.error]
    yield "In this run:" if short or failed else "In this run nothing fell short."
    yield ""
    for figure in short:
        ours = cell(figure.found[OURS]).replace("\n", ", ") if OURS in figure.found else "no answer"
        yield f"- {figure.verdict}: {what(figure)}: {ours}; reach: {figure.reach}"
    for row in failed:
        yield f"- not measured: {row.what}: {row.error}"
