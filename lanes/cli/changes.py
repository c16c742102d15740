"""Commands that change lanes: create, add, remove, delete, prune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from lanes import edits
from lanes.cli.carrying import carry_out_and_show, now
from lanes.cli.options import (
    dry_run_option,
    lane_argument,
    lanes_argument,
    output_option,
    service_option,
    target_options,
    ttl_option,
)
from lanes.cli.target import Target
from lanes.expiry import expiry_after, is_past
from lanes.history import Revision
from lanes.landscape import Landscape, LaneError
from lanes.own import lanes_in
from lanes.runner import Plan
from lanes.spec import Lane, Mode
from lanes.store import Place, Seen, Workload

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
@ttl_option
@dry_run_option
@output_option
@target_options
def create(
    lane: str,
    services: Mapping[str, str],
    mode: str,
    ttl: float | None,
    dry_run: bool,
    output: str,
    target: Target,
) -> None:
    """Create a lane.

    On one machine, what is to be run as a version is a process that the mesh starts. In a cluster it is an
    image: the Deployment that serves base is cloned with it as SERVICE-LANE, with the lane's name as its
    version, and the lane gets its routes when that is ready.

    \b
    lanes create dev --service reviews=v2
    lanes create qa -s reviews=v3 -s ratings=v2 --mode strict
    lanes create mine -s reviews=./reviews     runs your package as reviews/mine
    lanes create dev -s reviews=v2 --dry-run
    lanes create dev -n bookinfo -s reviews=registry.example/reviews:dev --ttl 8h
    """
    target.checked(services)
    expires = expiry_after(now(), ttl) if ttl else ""

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        if any(there.name == lane for there in lanes_in(seen.landscape)):
            raise LaneError(f"There is a lane {lane} already; `lanes add` and `lanes remove` change it.")
        versions, start = versions_of(seen, lane, services, target, expires)
        return Plan(edits.create(Lane(lane, versions, Mode(mode), expires)), start)

    carry_out_and_show(target, plan, output, dry_run)


@click.command()
@lane_argument
@service_option(required=False)
@click.option("--mode", type=mode_choice, help="Change the lane's mode as well.")
@ttl_option
@dry_run_option
@output_option
@target_options
def add(
    lane: str,
    services: Mapping[str, str],
    mode: str | None,
    ttl: float | None,
    dry_run: bool,
    output: str,
    target: Target,
) -> None:
    """Give a lane a version of one more service, or another one of a service it has; or more time.

    \b
    lanes add dev --service ratings=v2
    lanes add dev --mode strict
    lanes add dev --ttl 8h                     eight hours from now
    """
    if not services and mode is None and ttl is None:
        raise click.UsageError("Say what to add: --service NAME=VERSION, --mode or --ttl.")
    target.checked(services)
    expires = None if ttl is None else expiry_after(now(), ttl) if ttl else ""

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        there = lane_named(seen.landscape, lane)
        until = there.expires if expires is None else expires
        versions, start = versions_of(seen, lane, services, target, until)
        return Plan(edits.extend(lane, versions, Mode(mode) if mode else None, expires), start)

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
        if not there.versions.keys() - set(services):
            raise LaneError(f"That would leave nothing in the lane {lane}; `lanes delete {lane}` ends it.")
        return Plan(edits.reduce(lane, services))

    carry_out_and_show(target, plan, output, dry_run)


@click.command()
@lanes_argument
@dry_run_option
@output_option
@target_options
def delete(lanes: Sequence[str], dry_run: bool, output: str, target: Target) -> None:
    """Delete lanes, and end what was started for them; what was there before is left as it was.

    \b
    lanes delete dev
    lanes delete dev qa                               all of them, or none if there is no such lane
    """

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        there = {lane.name for lane in lanes_in(seen.landscape)}
        stop: list[tuple[str, str]] = []
        for lane in lanes:
            left = [(m.service, m.version) for m in seen.members if m.command and m.version == lane]
            if left and lane not in there:
                # Somebody has replaced the rules, but what was started for the lane still runs.
                stop += left
            else:
                lane_named(seen.landscape, lane)
        return Plan(edits.delete(*lanes), stop=stop)

    carry_out_and_show(target, plan, output, dry_run)


@click.command()
@dry_run_option
@output_option
@target_options
def prune(dry_run: bool, output: str, target: Target) -> None:
    """Delete the lanes whose time (--ttl) is over, and end what was started for them.

    In a cluster a CronJob can do that; the chart has one.

    \b
    lanes prune --dry-run
    lanes prune
    """

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        there = lanes_in(seen.landscape)
        over = [lane.name for lane in there if is_past(lane.expires, now())]
        held = {place for lane in there for place in lane.versions.items()}
        # What was started for a lane that somebody has taken out of the rules has a time of its own.
        left = {
            (member.service, member.version)
            for member in seen.members
            if member.command and is_past(member.expires, now())
        }
        return Plan(edits.delete(*over), stop=sorted(left - held))

    carry_out_and_show(target, plan, output, dry_run)


def lane_named(landscape: Landscape, name: str) -> Lane:
    """The lane of this name; LaneError lists what there is."""
    there = lanes_in(landscape)
    for lane in there:
        if lane.name == name:
            return lane
    known = ", ".join(lane.name for lane in there) or "none"
    raise LaneError(f"There is no lane {name!r}; there are {known}.")


def versions_of(
    seen: Seen, lane: str, services: Mapping[str, str], target: Target, expires: str
) -> tuple[dict[str, str], dict[Place, Workload]]:
    """The versions a lane is to have; what is to be started for it is a version by the lane's name."""
    versions: dict[str, str] = {}
    start: dict[Place, Workload] = {}
    for service, given in services.items():
        seen.landscape.service(service)
        if not target.names_workload(given):
            versions[service] = given
            continue
        others = [member for member in seen.members_of(service, lane) if not member.command]
        if others:
            raise LaneError(f"There is a {service} of the version {lane} already ({others[0].name}).")
        versions[service] = lane
        start[service, lane] = target.workload(service, given, Path.cwd(), expires)
    return versions, start
