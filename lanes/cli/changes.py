"""Commands that change lanes: create, add, remove, delete; and undo: history, rollback."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from lanes.change import diff_lines, text_diff
from lanes.cli.options import (
    Target,
    dry_run_option,
    lane_argument,
    output_option,
    progress,
    service_option,
    show,
    table_of,
    target_options,
)
from lanes.compose import drop, lanes_in, put, restore
from lanes.history import Revision, lane_dict, revision_of
from lanes.landscape import Landscape, LaneError
from lanes.runner import Journal, Place, Plan, Planner, Result, carry_out
from lanes.spec import Lane, Mode
from lanes.store import Seen, Workload
from lanes.workload import names_workload, workload_of

mode_choice = click.Choice([str(mode) for mode in Mode])


@click.command()
@lane_argument
@service_option(required=True)
@click.option(
    "--mode",
    type=mode_choice,
    default=str(Mode.PERMISSIVE),
    show_default=True,
    help="Where the lane has no usable version, permissive lets base serve the call and strict fails it.",
)
@dry_run_option
@output_option
@target_options
def create(
    lane: str, services: Mapping[str, str], mode: str, dry_run: bool, output: str, target: Target
) -> None:
    """Create a lane.

    \b
    lanes create dev --service reviews=v2
    lanes create qa -s reviews=v3 -s ratings=v2 --mode strict
    lanes create mine -s reviews=./reviews     runs your package as reviews/mine
    lanes create dev -s reviews=v2 --dry-run
    """

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        if any(there.name == lane for there in lanes_in(seen.landscape)):
            raise LaneError(f"There is a lane {lane} already; `lanes add` and `lanes remove` change it.")
        versions, start = _versions(seen, lane, services)
        return Plan(put(seen.landscape, Lane(lane, versions, Mode(mode))), start)

    carry_out_and_show(target, plan, output, dry_run)


@click.command()
@lane_argument
@service_option(required=False)
@click.option("--mode", type=mode_choice, help="Change the lane's mode as well.")
@dry_run_option
@output_option
@target_options
def add(
    lane: str, services: Mapping[str, str], mode: str | None, dry_run: bool, output: str, target: Target
) -> None:
    """Give a lane a version of one more service, or another one of a service it has.

    \b
    lanes add dev --service ratings=v2
    lanes add dev --mode strict
    """
    if not services and mode is None:
        raise click.UsageError("Say what to add: --service NAME=VERSION, or --mode.")

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        there = lane_named(seen.landscape, lane)
        versions, start = _versions(seen, lane, services)
        wanted = Lane(lane, {**there.versions, **versions}, Mode(mode) if mode else there.mode)
        return Plan(put(seen.landscape, wanted), start)

    carry_out_and_show(target, plan, output, dry_run)


@click.command()
@lane_argument
@click.option(
    "-s",
    "--service",
    "services",
    multiple=True,
    required=True,
    metavar="NAME",
    help="May be given several times.",
)
@dry_run_option
@output_option
@target_options
def remove(lane: str, services: Sequence[str], dry_run: bool, output: str, target: Target) -> None:
    """Take services out of a lane; base serves them from then on.

    \b
    lanes remove dev --service ratings
    """

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        there = lane_named(seen.landscape, lane)
        for service in services:
            if service not in there.versions:
                held = ", ".join(sorted(there.versions)) or "none"
                raise LaneError(f"The lane {lane} has no version of {service!r}; it has one of {held}.")
        left = {name: version for name, version in there.versions.items() if name not in services}
        if not left:
            raise LaneError(f"That would leave nothing in the lane {lane}; `lanes delete {lane}` ends it.")
        return Plan(put(seen.landscape, Lane(lane, left, there.mode)))

    carry_out_and_show(target, plan, output, dry_run)


@click.command()
@lane_argument
@dry_run_option
@output_option
@target_options
def delete(lane: str, dry_run: bool, output: str, target: Target) -> None:
    """Delete a lane, and end what was started for it; what was there before is left as it was.

    \b
    lanes delete dev
    """

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        left = [(m.service, m.version) for m in seen.members if m.command and m.version == lane]
        if left and all(there.name != lane for there in lanes_in(seen.landscape)):
            # Somebody has replaced the rules, but what was started for the lane still runs.
            return Plan(seen.landscape, stop=left)
        lane_named(seen.landscape, lane)
        return Plan(drop(seen.landscape, lane))

    carry_out_and_show(target, plan, output, dry_run)


@click.command()
@output_option
@target_options
def history(output: str, target: Target) -> None:
    """List every change of lanes and door since the mesh came up; 0 is what was there before the first.

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
        [each.to_dict() for each in revisions],
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
        start: dict[Place, Workload] = {}
        for name, each in wanted.workloads.items():
            service, _, version = name.partition("/")
            if not seen.members_of(service, version):
                start[service, version] = workload_of(
                    service, each["command"], Path(each["directory"]), os.environ
                )
        return Plan(restore(seen.landscape, wanted.lanes), start, wanted.door)

    carry_out_and_show(target, plan, output, dry_run)


def lane_named(landscape: Landscape, name: str) -> Lane:
    """The lane of this name; LaneError lists what there is."""
    there = lanes_in(landscape)
    for lane in there:
        if lane.name == name:
            return lane
    known = ", ".join(lane.name for lane in there) or "none"
    raise LaneError(f"There is no lane {name!r}; there are {known}.")


def carry_out_and_show(target: Target, planner: Planner, output: str, dry_run: bool) -> None:
    """Carry a change out and say what came of it; LaneError when not all have taken it."""
    journal = Journal(_command_line(), _user(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), progress)
    result = target.run(lambda store: carry_out(store, planner, journal, dry_run=dry_run))
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


def _versions(
    seen: Seen, lane: str, services: Mapping[str, str]
) -> tuple[dict[str, str], dict[Place, Workload]]:
    """The versions a lane is to have; what is to be started for it is a version by the lane's name."""
    versions: dict[str, str] = {}
    start: dict[Place, Workload] = {}
    for service, given in services.items():
        seen.landscape.service(service)
        if not names_workload(given):
            versions[service] = given
            continue
        others = [member for member in seen.members_of(service, lane) if not member.command]
        if others:
            raise LaneError(f"There is a {service} of the version {lane} already ({others[0].name}).")
        versions[service] = lane
        start[service, lane] = workload_of(service, given, Path.cwd(), os.environ)
    return versions, start


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


def _brief(lane: Lane) -> str:
    mode = " strict" if lane.mode is Mode.STRICT else ""
    return f"{lane.name}{mode} ({' '.join(f'{s}={v}' for s, v in sorted(lane.versions.items()))})"


def _command_line() -> str:
    return shlex.join(sys.argv[1:])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return str(os.getuid())
