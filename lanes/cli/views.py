"""Commands that look: list, status."""

from __future__ import annotations

import click

from lanes.cli.changes import lane_named
from lanes.cli.options import lane_argument, output_option, show, table_of, target_options
from lanes.cli.target import Target
from lanes.history import Revision, lane_dict, lost_since
from lanes.own import lanes_in
from lanes.spec import Mode
from lanes.standing import ready_of, standings
from lanes.store import LaneStore, Seen

_STYLES = {"nobody:": "bold red", "base:": "yellow"}


@click.command("list")
@output_option
@target_options
def list_(output: str, target: Target) -> None:
    """List the lanes, what they hold, and how many of their services can be called in them.

    \b
    lanes list -o json
    """
    seen, revisions = target.run(_look)
    there = lanes_in(seen.landscape)
    for name, revision in lost_since(revisions, there, target.lane_key).items():
        click.echo(
            f"note: the rules that somebody has applied since hold no lane {name} any more; "
            f"`lanes rollback {revision}` puts it back.",
            err=True,
        )
    ending = any(lane.expires for lane in there)  # a column that says nothing is left out
    rows = [
        [
            lane.name,
            str(lane.mode),
            ready_of(seen, lane),
            *([lane.expires or "-"] if ending else []),
            ", ".join(f"{service}={version}" for service, version in sorted(lane.versions.items())) or "-",
        ]
        for lane in there
    ]
    if not rows and output == "table":
        click.echo(f"There are no lanes{f' in {seen.where}' if seen.where else ''}.", err=True)
        return
    data = [{**lane_dict(lane), "ready": ready_of(seen, lane)} for lane in there]
    columns = ("LANE", "MODE", "READY", *(["EXPIRES"] if ending else []), "SERVICES")
    show(output, data, lambda: table_of(columns, rows))


async def _look(store: LaneStore) -> tuple[Seen, list[Revision]]:
    return await store.read(), await store.history()


@click.command()
@lane_argument
@output_option
@target_options
def status(lane: str, output: str, target: Target) -> None:
    """Show who is in a lane, who of them is ready, and where its requests and those of base go.

    \b
    lanes status dev
    """
    seen = target.run(lambda store: store.read())
    there = lane_named(seen.landscape, lane)
    found = standings(seen, there)
    rows = [
        [
            each.service,
            each.version or "-",
            f"{each.ready}/{len(each.members)}" if each.version else "-",
            "; ".join(f"{m.name} {m.state} {m.address}" for m in each.members) or "-",
            each.served_by,
            each.base,
        ]
        for each in found
    ]
    data = {**lane_dict(there), "standing": [each.to_dict() for each in found]}
    if output == "table":
        open_at = [each.service for each in found if not each.strict] if there.mode is Mode.STRICT else []
        click.echo(f"lane {lane}, {there.mode}{f', until {there.expires}' if there.expires else ''}")
        for service in open_at:
            click.echo(
                f"note: {service} came after the lane and is open to base; `lanes add {lane} --mode strict`"
            )
    columns = ("SERVICE", "IN THE LANE", "READY", "WORKLOADS", "ITS REQUESTS GO TO", "THOSE OF BASE")
    show(output, data, lambda: table_of(columns, rows, _STYLES))
