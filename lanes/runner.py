"""Carrying a change out: all of it or nothing, whoever else writes, and with a line in the history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lanes.change import Change, changes, steps
from lanes.doorfile import DoorError, parse_door
from lanes.edits import Edit, unchanged
from lanes.history import Revision
from lanes.landscape import Key, LaneError
from lanes.own import lanes_in
from lanes.spec import Lane, Mode
from lanes.store import Conflict, LaneStore, Outcome, Place, Seen, Workload

_TRIES = 20
T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What is to be made of the objects, the workloads to start, and the door's rules if they change."""

    edit: Edit = unchanged
    start: Mapping[Place, Workload] = field(default_factory=dict)
    door: str | None = None
    stop: Sequence[Place] = ()
    """What was started for a lane that the rules do not hold any more."""


@dataclass(frozen=True)
class Journal:
    """Who changes what, when, for the history; and how to tell that something takes long."""

    change: str
    who: str
    time: str
    progress: Callable[[str], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Result:
    """What has changed, or would in a dry run, and what came of it."""

    changed: tuple[Change, ...]
    lanes: tuple[Lane, ...]
    notes: tuple[str, ...] = ()
    door_before: str = ""
    door_after: str = ""
    outcome: Outcome | None = None
    revision: int | None = None

    @property
    def nothing(self) -> bool:
        """Whether all was so already."""
        return not self.changed and self.door_before == self.door_after


Planner = Callable[[Seen, Sequence[Revision], str], Plan]
"""Plans from what is there: the mesh, the history, and the text of the door's rules."""


async def carry_out(store: LaneStore, planner: Planner, journal: Journal, *, dry_run: bool = False) -> Result:
    """Read, plan and write; anew when somebody else was faster."""
    attempts = _Attempts(store, planner, journal)
    return await (attempts.rehearsed() if dry_run else attempts.carried_out())


@dataclass
class _Attempts:
    """One change, from its first attempt to the one that nobody crosses."""

    store: LaneStore
    planner: Planner
    journal: Journal
    plan: Plan | None = None
    """Once a part of it is in force it is finished, not made anew: half a lane would be in its own way."""
    found: Seen | None = None
    """What was there before the first attempt."""
    started: dict[Place, Workload] = field(default_factory=dict)
    held: set[Place] = field(default_factory=set)
    """What lanes have had at any time."""
    changed: dict[Key, Change] = field(default_factory=dict)
    beginning: list[str] = field(default_factory=list)
    """What was started, in lines; it can still be taken back."""
    lines: list[str] = field(default_factory=list)
    """What is in force, in lines."""
    in_force: bool = False
    interrupted: bool = False

    async def rehearsed(self) -> Result:
        """What would change, if the mesh takes it."""
        seen, history, door = await self._read()
        plan = self.planner(seen, history, door)
        result = _result(seen, plan, door)
        self.held |= _places(lanes_in(seen.landscape))
        idle = self._idle(seen, plan, result.lanes)
        besides = await self.store.workload_changes(plan.start, idle, seen)
        result = replace(result, changed=(*besides, *result.changed))
        await self.store.rehearse(result.changed)
        return result

    async def carried_out(self) -> Result:
        """What has changed; nothing has, if this raises before the first object is written."""
        for _ in range(_TRIES):
            async with self.store.exclusive():
                try:
                    result = await self._attempt()
                    self._stop_if_interrupted()
                    return result
                except Conflict as conflict:
                    self.lines += conflict.written
                    if not self.lines:
                        self.plan = None
                        self._stop_if_interrupted()
                except BaseException:
                    await self._withdraw()
                    raise
        await self._withdraw()
        left = "a part of the change is in force" if self.lines else "nothing was changed"
        raise LaneError(f"Others change the same objects all the time; {left}, try again.")

    def _stop_if_interrupted(self) -> None:
        if self.interrupted:
            raise asyncio.CancelledError

    async def _read(self) -> tuple[Seen, list[Revision], str]:
        return await self.store.read(), await self.store.history(), await self.store.door()

    async def _attempt(self) -> Result:
        seen, history, door = await self._read()
        self.found = self.found or seen
        plan = self.plan = self.plan or self.planner(seen, history, door)
        result = _result(seen, plan, door)
        if result.nothing and not plan.start and not plan.stop and not self.lines:
            return result
        for place, workload in plan.start.items():
            if place not in self.started:
                await self._start(place, workload, seen)
        self.held |= _places(lanes_in(seen.landscape))
        for change in result.changed:
            first = self.changed.get(change.key)
            self.changed[change.key] = replace(change, before=first.before) if first else change
        return await self._to_the_end(self._write(seen, history, plan, result))

    async def _start(self, place: Place, workload: Workload, seen: Seen) -> None:
        self.started[place] = workload
        async with self.journal.progress(f"starting {'/'.join(place)}: {workload.given}"):
            try:
                self.beginning += await self.store.start(*place, workload, seen)
            except Conflict:
                del self.started[place]
                raise

    async def _to_the_end(self, writing: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(writing)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Half of it would be worse than all of it.
            self.interrupted = True
            return await task

    async def _write(self, seen: Seen, history: Sequence[Revision], plan: Plan, result: Result) -> Result:
        async with self.journal.progress("waiting for those who are affected"):
            outcome = await self.store.carry_out(steps(result.changed), seen)
        self.in_force = True
        idle = self._idle(seen, plan, result.lanes)
        ended: list[str] = []
        async with self.journal.progress(f"ending {', '.join('/'.join(place) for place in idle)}"):
            for place in idle:
                ended += await self.store.stop(*place)
        self.lines += [*outcome.lines, *ended]
        ok, data = outcome.ok, dict(outcome.data)
        if result.door_after != result.door_before:
            async with self.journal.progress("waiting for the door"):
                door = await self.store.set_door(result.door_after)
            self.lines += door.lines
            ok, data = ok and door.ok, {**data, **door.data}
        result = replace(
            result,
            changed=tuple(self.changed.values()),
            outcome=Outcome(ok, (*self.beginning, *self.lines), data),
        )
        return await self._recorded(history, result, idle)

    def _idle(self, seen: Seen, plan: Plan, after: Sequence[Lane]) -> list[Place]:
        """What was started for a lane and is in none any more."""
        ours = {(member.service, member.version) for member in seen.members if member.command}
        left = _places(after)
        return sorted({*(self.held & ours) - left, *self.started.keys() - left, *plan.stop})

    async def _recorded(self, history: Sequence[Revision], result: Result, idle: Sequence[Place]) -> Result:
        lanes, reason = result.lanes, "others change it all the time."
        for _ in range(_TRIES):
            revisions = self._revisions(history, lanes, result, idle)
            try:
                await self.store.record(revisions)
                return replace(result, revision=revisions[-1].number)
            except Conflict:
                # Somebody else has written what does not touch ours: both are in force now.
                seen, history, _ = await self._read()
                lanes = lanes_in(seen.landscape)
            except LaneError as error:
                reason = str(error)
                break
        return replace(
            result, notes=(*result.notes, f"note: the history does not have this change: {reason}")
        )

    def _revisions(
        self, history: Sequence[Revision], lanes: tuple[Lane, ...], result: Result, idle: Sequence[Place]
    ) -> list[Revision]:
        journal, first = self.journal, []
        key = self.found.landscape.lane_key if self.found is not None else ""
        known = dict(history[-1].workloads) if history else {}
        if not history and self.found is not None:
            before = lanes_in(self.found.landscape)
            first = [Revision(0, journal.time, "", "as it was found", before, result.door_before, key=key)]
        workloads = {name: each for name, each in known.items() if name not in map("/".join, idle)}
        for (service, version), workload in self.started.items():
            workloads[f"{service}/{version}"] = {"command": workload.given, "directory": workload.origin}
        number = history[-1].number + 1 if history else 1
        return [
            *first,
            Revision(
                number, journal.time, journal.who, journal.change, lanes, result.door_after, workloads, key
            ),
        ]

    async def _withdraw(self) -> None:
        for place in () if self.in_force else self.started:
            try:
                await self.store.withdraw(*place)
            except LaneError as error:
                left = f"{'/'.join(place)} was started and could not be ended again"
                raise type(error)(f"{error} {left}.") from None


def _result(seen: Seen, plan: Plan, door: str) -> Result:
    after = plan.edit(seen.landscape)
    lanes = lanes_in(after)
    wanted = door if plan.door is None else plan.door
    changed = tuple(changes(seen.landscape, after))
    notes = (*_notes(seen, plan, lanes), *_door_notes(seen, lanes, door, wanted))
    return Result(changed, lanes, notes, door, wanted)


def _places(lanes: Sequence[Lane]) -> set[Place]:
    return {place for lane in lanes for place in lane.versions.items()}


def _door_notes(seen: Seen, after: Sequence[Lane], before: str, wanted: str) -> list[str]:
    """The door's rules that lead to no lane because of this change: of one that goes, or of none."""
    try:
        old, rules = parse_door(before) if before != wanted else (), parse_door(wanted)
    except DoorError:
        return []  # `lanes door` says so
    gone = {lane.name for lane in lanes_in(seen.landscape)} - {lane.name for lane in after}
    there = {lane.name for lane in after}
    return [
        f"note: rule {number} of the door ({rule.describe()}) leads to {rule.lane}, and there is no such lane"
        for number, rule in enumerate(rules, 1)
        if rule.lane and rule.lane not in there
        if rule.lane in gone or (before != wanted and rule not in old)
    ]


def _notes(seen: Seen, plan: Plan, after: Sequence[Lane]) -> tuple[str, ...]:
    """What a person should know of the lanes that are new or changed."""
    before = lanes_in(seen.landscape)
    found: list[str] = []
    for lane in after:
        if lane in before:
            continue
        for service, version in sorted(lane.versions.items()):
            if (service, version) in plan.start:
                continue
            if not any(member.ready for member in seen.members_of(service, version)):
                then = "its calls fail" if lane.mode is Mode.STRICT else "base serves its calls"
                found.append(
                    f"note: no {service} {version} is ready, so in the lane {lane.name} {then} until one is"
                )
    return tuple(found)
