"""Undo: history, rollback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from lanes import edits
from lanes.cli.carrying import carry_out_and_show
from lanes.cli.options import dry_run_option, output_option, show, table_of, target_options
from lanes.cli.target import Target
from lanes.history import Revision, revision_of
from lanes.runner import Plan
from lanes.spec import Lane, Mode
from lanes.store import Place, Seen, Workload


@click.command()
@output_option
@target_options
def history(output: str, target: Target) -> None:
    """List every change of lanes and door; 0 is what was there before the first.

    On one machine it begins when the mesh comes up. In a cluster the newest 200 are kept, in the ConfigMap
    lanes-history.

    \b
    lanes history
    lanes rollback 2
    """
    revisions = target.run(lambda store: store.history())
    rows = [
        [str(each.number), each.time, each.who or "-", each.change, ", ".join(map(_brief, each.lanes)) or "-"]
        for each in revisions
    ]
    show(
        output,
        [_told(each) for each in revisions],
        lambda: table_of(("REVISION", "TIME", "WHO", "CHANGE", "LANES THEN"), rows),
    )


@click.command()
@click.argument("revision", type=click.IntRange(min=0))
@dry_run_option
@output_option
@target_options
def rollback(revision: int, dry_run: bool, output: str, target: Target) -> None:
    """Go back to the lanes and the door's rules of a revision; routes of others stay as they are now.

    \b
    lanes rollback 2 --dry-run
    lanes rollback 2
    """

    def plan(seen: Seen, revisions: Sequence[Revision], _: str) -> Plan:
        wanted = revision_of(revisions, revision)
        ends = {place: lane.expires for lane in wanted.lanes for place in lane.versions.items()}
        start: dict[Place, Workload] = {}
        for name, each in wanted.workloads.items():
            service, _, version = name.partition("/")
            if not seen.members_of(service, version):
                folder = Path(each["directory"])
                expires = ends.get((service, version), "")
                start[service, version] = target.workload(service, each["command"], folder, expires)
        return Plan(edits.exactly(wanted.lanes), start, wanted.door)

    carry_out_and_show(target, plan, output, dry_run)


def _told(revision: Revision) -> dict[str, object]:
    """As the answer to a change tells it, which calls the number the revision."""
    data = revision.to_dict()
    return {"revision": data.pop("number"), **data}


def _brief(lane: Lane) -> str:
    mode = " strict" if lane.mode is Mode.STRICT else ""
    return f"{lane.name}{mode} ({' '.join(f'{s}={v}' for s, v in sorted(lane.versions.items()))})"
