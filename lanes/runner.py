"""Carrying a change out: under the store's lock, all of it or nothing, and with a line in the history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from lanes.change import Change, changes, steps
from lanes.compose import lanes_in
from lanes.history import Revision
from lanes.landscape import Landscape, LaneError
from lanes.spec import Lane, Mode
from lanes.store import Conflict, LaneStore, Outcome, Seen, Workload

_TRIES = 5
Place = tuple[str, str]
"""A service and a version of it."""


@dataclass(frozen=True)
class Plan:
    """What is to be: the objects, the workloads to start, and the door's rules if they change."""

    after: Landscape
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
    for _ in range(_TRIES):
        async with store.exclusive():
            seen, history, door = await store.read(), await store.history(), await store.door()
            plan = planner(seen, history, door)
            changed = tuple(changes(seen.landscape, plan.after))
            after = lanes_in(plan.after)
            wanted = door if plan.door is None else plan.door
            result = Result(changed, after, _notes(seen, plan, after), door, wanted)
            if dry_run or (result.nothing and not plan.start and not plan.stop):
                return result
            try:
                return await _Attempt(store, seen, history, plan, result, journal).run()
            except Conflict:
                continue
    raise LaneError("Others change the same objects all the time; nothing was changed, try again.")


@dataclass
class _Attempt:
    store: LaneStore
    seen: Seen
    history: Sequence[Revision]
    plan: Plan
    result: Result
    journal: Journal

    async def run(self) -> Result:
        started: list[Place] = []
        try:
            for (service, version), workload in self.plan.start.items():
                started.append((service, version))
                async with self.journal.progress(f"starting {service}/{version}: {workload.given}"):
                    await self.store.start(service, version, workload)
        except BaseException:
            await self._stop(started)
            raise
        writing = asyncio.create_task(self._write(started))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Half of it would be worse than all of it.
            await writing
            raise

    async def _write(self, started: Sequence[Place]) -> Result:
        try:
            async with self.journal.progress("waiting for those who are affected"):
                outcome = await self.store.carry_out(steps(self.result.changed), self.seen)
        except BaseException:
            await self._stop(started)
            raise
        idle = [*_idle(self.seen, self.result.lanes), *self.plan.stop]
        async with self.journal.progress(f"ending {', '.join('/'.join(place) for place in idle)}"):
            await self._stop(idle)
        if self.plan.door is not None and self.plan.door != self.result.door_before:
            async with self.journal.progress("waiting for the door"):
                outcome = _both(outcome, await self.store.set_door(self.plan.door))
        number = await self._record(idle)
        return Result(
            self.result.changed,
            self.result.lanes,
            self.result.notes,
            self.result.door_before,
            self.result.door_after,
            outcome,
            number,
        )

    async def _stop(self, places: Sequence[Place]) -> None:
        for service, version in places:
            await self.store.stop(service, version)

    async def _record(self, idle: Sequence[Place]) -> int:
        known = dict(self.history[-1].workloads) if self.history else {}
        if not self.history:
            first = lanes_in(self.seen.landscape)
            await self.store.record(
                Revision(0, self.journal.time, "", "as it was found", first, self.result.door_before)
            )
        workloads = {name: each for name, each in known.items() if name not in map("/".join, idle)}
        for (service, version), workload in self.plan.start.items():
            workloads[f"{service}/{version}"] = {"command": workload.given, "directory": workload.origin}
        number = self.history[-1].number + 1 if self.history else 1
        journal = self.journal
        await self.store.record(
            Revision(
                number,
                journal.time,
                journal.who,
                journal.change,
                self.result.lanes,
                self.result.door_after,
                workloads,
            )
        )
        return number


def _idle(seen: Seen, after: Sequence[Lane]) -> list[Place]:
    """What was started for a lane and is in none any more."""
    before = {place for lane in lanes_in(seen.landscape) for place in lane.versions.items()}
    left = {place for lane in after for place in lane.versions.items()}
    return [
        (member.service, member.version)
        for member in seen.members
        if member.command and (member.service, member.version) in before - left
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


def _both(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(one.ok and other.ok, (*one.lines, *other.lines), {**one.data, **other.data})
