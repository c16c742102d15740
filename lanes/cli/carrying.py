"""How a change is carried out by a command, and what it says of it."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from datetime import UTC, datetime

import click

from lanes.change import diff_lines, text_diff
from lanes.cli.options import progress, show, table_of
from lanes.cli.target import Target
from lanes.history import lane_dict
from lanes.landscape import LaneError
from lanes.runner import Journal, Planner, Result, carry_out


def now() -> datetime:
    """The time by which lanes end and revisions are dated."""
    return datetime.now(UTC)


def carry_out_and_show(target: Target, planner: Planner, output: str, dry_run: bool) -> None:
    """Carry a change out and say what came of it; LaneError when not all have taken it."""
    journal = Journal(_command_line(), _user(), now().strftime("%Y-%m-%dT%H:%M:%SZ"), progress)
    result = target.run(lambda store: carry_out(store, planner, journal, dry_run=dry_run), changing=True)
    if output == "table":
        for line in _lines(result, dry_run):
            click.echo(line)
    else:
        show(output, _data(result, dry_run), lambda: table_of((), ()))
    if result.outcome is not None and not result.outcome.ok:
        raise LaneError(
            "Not all who are affected have taken the change; "
            f"`lanes rollback {(result.revision or 1) - 1}` takes it back."
        )


def _lines(result: Result, dry_run: bool) -> list[str]:
    if dry_run:
        found = [*diff_lines(result.changed)]
        found += text_diff(result.door_before, result.door_after, "door") if not result.nothing else []
        return [*(found or ["nothing would change"]), *result.notes]
    if result.outcome is None:
        return ["nothing to change"]
    return [*result.outcome.lines, *result.notes]


def _data(result: Result, dry_run: bool) -> dict[str, object]:
    return {
        "dryRun": dry_run,
        "revision": result.revision,
        "lanes": [lane_dict(lane) for lane in result.lanes],
        "changes": [
            {
                "object": str(change.key),
                "verdict": change.verdict,
                "before": change.before,
                "after": change.after,
            }
            for change in result.changed
        ],
        "door": result.door_after,
        "notes": list(result.notes),
        "ok": result.outcome is None or result.outcome.ok,
        **(result.outcome.data if result.outcome is not None else {}),
    }


def _command_line() -> str:
    return shlex.join(sys.argv[1:])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return str(os.getuid())
