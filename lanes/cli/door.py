"""`lanes door`: which requests from outside are coloured, and how; applied live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from lanes.cli.carrying import carry_out_and_show
from lanes.cli.options import dry_run_option, output_option, show, table_of, target_options
from lanes.cli.target import Target
from lanes.doorfile import DoorError, DoorRule, format_door, parse_door
from lanes.history import Revision
from lanes.landscape import LaneError
from lanes.runner import Plan
from lanes.store import Seen
from mesh.sources import read_files, read_stdin


@click.group(invoke_without_command=True)
@output_option
@target_options
@click.pass_context
def door(context: click.Context, output: str, target: Target) -> None:
    """Colour requests at the door: by header, cookie, signed-in user, or a share of the visitors.

    Rules count in order, the first that names a lane wins, and a change counts at once. They go before
    `baggage` from outside where that is believed; a share is drawn from those who asked for no lane, and
    a visitor stays on the side that was drawn.

    \b
    lanes door                                   the rules
    lanes door add --header x-lane               the header's value is the lane
    lanes door add --cookie team=blue --lane dev
    lanes door add --user jason --lane dev
    lanes door add --percent 10 --lane dev
    lanes door remove 2
    lanes door set -f door.yaml
    """
    if context.invoked_subcommand is not None:
        context.obj = target
        return
    _list(output, target)


@door.command("list")
@output_option
@target_options
def list_(output: str, target: Target) -> None:
    """List the rules, as `lanes door` alone does."""
    _list(output, target)


def _list(output: str, target: Target) -> None:
    rules = _read(target.run(lambda store: store.door()))
    rows = [[str(number), rule.describe()] for number, rule in enumerate(rules, 1)]

    def table() -> Table | Text:
        return table_of(("RULE", "WHO GOES WHERE"), rows) if rows else Text("There are no rules.")

    show(output, {"rules": [rule.to_dict() for rule in rules]}, table)


@door.command()
@click.option(
    "--header", metavar="NAME[=VALUE]", help="By a header: its value is the lane, unless --lane is given."
)
@click.option("--cookie", metavar="NAME[=VALUE]", help="By a cookie, likewise.")
@click.option("--user", "users", multiple=True, metavar="NAME", help="Who is signed in by this name.")
@click.option("--percent", type=float, metavar="N", help="N percent of the visitors who asked for no lane.")
@click.option("--lane", metavar="LANE", help="The lane it leads to.")
@click.option("--at", type=click.IntRange(min=1), metavar="N", help="Make it rule N; the last if not given.")
@dry_run_option
@output_option
@target_options
def add(
    header: str | None,
    cookie: str | None,
    users: tuple[str, ...],
    percent: float | None,
    lane: str | None,
    at: int | None,
    dry_run: bool,
    output: str,
    target: Target,
) -> None:
    """Add a rule."""
    named = header or cookie
    name, equals, value = (named or "").partition("=")
    rule = DoorRule(
        header=name if header else None,
        cookie=name if cookie and not header else None,
        users=users,
        percent=percent,
        equals=value if equals else None,
        lane=lane,
    )
    if sum((header is not None, cookie is not None, bool(users), percent is not None)) != 1:
        raise click.UsageError("Say whom the rule is for: one of --header, --cookie, --user and --percent.")
    try:
        parse_door(format_door([rule]), "the rule")
    except DoorError as error:
        raise click.UsageError(str(error).partition(": ")[2]) from None

    def edited(rules: list[DoorRule]) -> list[DoorRule]:
        place = len(rules) if at is None else at - 1
        return [*rules[:place], rule, *rules[place:]]

    _change(target, edited, output, dry_run)


@door.command()
@click.argument("number", type=click.IntRange(min=1))
@dry_run_option
@output_option
@target_options
def remove(number: int, dry_run: bool, output: str, target: Target) -> None:
    """Remove the rule of this number."""

    def edited(rules: list[DoorRule]) -> list[DoorRule]:
        if number > len(rules):
            there = {0: "are none", 1: "is 1"}.get(len(rules), f"are {len(rules)}")
            raise LaneError(f"There is no rule {number}; there {there}.")
        return [*rules[: number - 1], *rules[number:]]

    _change(target, edited, output, dry_run)


@door.command()
@dry_run_option
@output_option
@target_options
def clear(dry_run: bool, output: str, target: Target) -> None:
    """Remove all rules."""
    _replace(target, lambda _: "", output, dry_run)


@door.command("set")
@click.option(
    "-f", "--filename", "file", required=True, metavar="FILE", help="A file of rules; - is standard input."
)
@dry_run_option
@output_option
@target_options
def set_(file: str, dry_run: bool, output: str, target: Target) -> None:
    """Replace all rules by those of a file; one that cannot be used is refused with its place."""
    if Path(file).is_dir():
        raise click.UsageError(f"{file} is a folder; the rules are in one file.")
    text = read_stdin(sys.stdin.buffer) if file == "-" else _text_of(Path(file))
    try:
        parse_door(text, file)
    except DoorError as error:
        raise LaneError(str(error)) from None
    _replace(target, lambda _: text, output, dry_run)


def _text_of(file: Path) -> str:
    return read_files([file])[str(file)]


def _change(
    target: Target, edited: Callable[[list[DoorRule]], list[DoorRule]], output: str, dry_run: bool
) -> None:
    def replaced(door: str) -> str:
        rules = edited(list(_read(door)))
        text = format_door(rules) if rules else ""
        try:
            parse_door(text, "the rules")  # the shares of all together
        except DoorError as error:
            raise LaneError(str(error)) from None
        return text

    _replace(target, replaced, output, dry_run)


def _replace(target: Target, replaced: Callable[[str], str], output: str, dry_run: bool) -> None:
    def plan(_: Seen, __: Sequence[Revision], door: str) -> Plan:
        return Plan(door=replaced(door))

    carry_out_and_show(target, plan, output, dry_run)


def _read(text: str) -> tuple[DoorRule, ...]:
    try:
        return parse_door(text, "door.yaml")
    except DoorError as error:
        raise LaneError(f"{error} `lanes door set` or `lanes door clear` mends it.") from None
