"""A change is carried out whole or not at all, whoever else is at it and whoever presses Ctrl-C."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from lanes import edits
from lanes.change import Change, Step
from lanes.compose import put
from lanes.history import Revision
from lanes.landscape import Known, Landscape, LaneError, key_of
from lanes.own import lanes_in
from lanes.runner import Journal, Plan, Result, carry_out
from lanes.spec import Lane, Mode
from lanes.store import Conflict, FrontDoor, LaneStore, Member, Outcome, Place, Seen, Workload

DEV = Lane("dev", {"reviews": "v2"})
OTHER = Lane("other", {"reviews": "v1"})
MINE = Lane("mine", {"reviews": "mine"})
WORKLOAD = Workload("./x", "/home", ("x",), "/home")


class Store:
    """A mesh in memory, which writes object by object as a cluster does.

    `faster` is what somebody else does just before each write, `between` after the first object of one.
    """

    def __init__(self, *services: str) -> None:
        known = tuple(map(Known, services or ("reviews",)))
        self.landscape = Landscape({}, known, deployed={each.name: {"v1": 1} for each in known})
        self.members: dict[Place, Member] = {}
        self.revisions: list[Revision] = []
        self.text = ""
        self.faster: list[Lane] = []
        self.between: list[edits.Edit] = []
        self.sooner: list[Revision] = []
        self.fault: Exception | None = None
        self.rehearsals = 0
        self.starts = 0
        self.starting = asyncio.Event()
        self.writing = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.held = 0

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        assert not self.held
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    async def read(self) -> Seen:
        return Seen(self.landscape, tuple(self.members.values()))

    async def workload_changes(
        self, start: Mapping[Place, Workload], stop: Sequence[Place], seen: Seen
    ) -> Sequence[Change]:
        return ()

    async def rehearse(self, changed: Sequence[Change]) -> None:
        self.rehearsals += 1

    async def carry_out(self, steps: Sequence[Step], seen: Seen) -> Outcome:
        self.writing.set()
        if self.faster:
            self.landscape = put(self.landscape, self.faster.pop())
        if self.fault is not None:
            raise self.fault
        if self.hold is not None:
            await self.hold.wait()
        known = dict(seen.landscape.objects)
        written: list[str] = []
        for step in steps:
            for key in [*map(key_of, step.apply), *step.delete]:
                if self.landscape.objects.get(key) != known.get(key):
                    raise Conflict(written)
                objects = {k: d for k, d in self.landscape.objects.items() if k != key}
                known |= {key_of(document): document for document in step.apply if key_of(document) == key}
                known = {k: d for k, d in known.items() if k not in step.delete}
                self.landscape = replace(
                    self.landscape, objects=objects | {k: known[k] for k in known if k == key}
                )
                written.append(f"{key} written")
                if self.between:
                    self.landscape = self.between.pop()(self.landscape)
        return Outcome(True, tuple(written), {})

    async def start(self, service: str, version: str, workload: Workload, seen: Seen) -> Sequence[str]:
        self.starts += 1
        self.members[service, version] = Member(service, version, version, "", True, command=workload.given)
        self.starting.set()
        if self.hold is not None:
            await self.hold.wait()
        return (f"{version} started",)

    async def withdraw(self, service: str, version: str) -> None:
        await self.stop(service, version)

    async def stop(self, service: str, version: str) -> Sequence[str]:
        return ("ended",) if self.members.pop((service, version), None) else ()

    async def history(self) -> list[Revision]:
        return list(self.revisions)

    async def record(self, revisions: Sequence[Revision]) -> None:
        if self.sooner:
            self.revisions.append(self.sooner.pop())
            raise Conflict
        self.revisions += [Revision.from_dict(each.to_dict()) for each in revisions]

    async def door(self) -> str:
        return self.text

    async def set_door(self, text: str) -> Outcome:
        self.text = text
        return Outcome(True, ("door",), {})

    @asynccontextmanager
    async def front_door(self) -> AsyncIterator[FrontDoor]:
        yield FrontDoor("", "")

    @asynccontextmanager
    async def client(self, xds_address: str = "") -> AsyncIterator[Mapping[str, str]]:
        yield {}


@asynccontextmanager
async def quietly(_: str) -> AsyncIterator[None]:
    yield


JOURNAL = Journal("a change", "me", "now", quietly)


async def run(store: Store, lane: Lane | None, *, start: bool = False, dry_run: bool = False) -> Result:
    protocol: LaneStore = store

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        edit = edits.delete("mine") if lane is None else edits.create(lane)
        if lane is not None and any(there.name == lane.name for there in lanes_in(seen.landscape)) and start:
            raise LaneError("there is one already")
        return Plan(edit, {("reviews", "mine"): WORKLOAD} if start else {})

    return await carry_out(protocol, plan, JOURNAL, dry_run=dry_run)


async def test_the_history_starts_with_what_was_there() -> None:
    store = Store()
    store.landscape = put(store.landscape, OTHER)
    result = await run(store, DEV)
    assert result.revision == 1
    assert [(r.number, r.change, r.lanes) for r in store.revisions] == [
        (0, "as it was found", (OTHER,)),
        (1, "a change", (DEV, OTHER)),
    ]
    again = await run(store, DEV)
    assert again.nothing
    assert again.outcome is None
    assert len(store.revisions) == 2


async def test_a_dry_run_touches_nothing() -> None:
    store = Store()
    result = await run(store, MINE, start=True, dry_run=True)
    assert not result.nothing
    assert (lanes_in(store.landscape), store.members, store.revisions) == ((), {}, [])
    assert store.rehearsals == 1


async def test_who_was_slower_plans_anew() -> None:
    store = Store()
    store.faster = [OTHER]
    await run(store, DEV)
    assert lanes_in(store.landscape) == (DEV, OTHER)
    assert len(store.revisions) == 2


async def test_who_is_always_slower_gives_up() -> None:
    store = Store()
    store.faster = [Lane(f"l{number}", {"reviews": "v1"}) for number in range(99)]
    with pytest.raises(LaneError, match="all the time"):
        await run(store, MINE, start=True)
    assert store.members == {}
    assert store.revisions == []


async def test_a_workload_is_started_once_however_often_others_are_faster() -> None:
    store = Store()
    store.faster = [OTHER, DEV]
    result = await run(store, MINE, start=True)
    assert lanes_in(store.landscape) == (DEV, MINE, OTHER)
    assert store.starts == 1
    assert result.outcome is not None
    assert result.outcome.lines[0] == "mine started"
    assert store.revisions[-1].workloads == {"reviews/mine": {"command": "./x", "directory": "/home"}}


async def test_who_finds_the_lane_there_after_all_takes_back_what_was_started() -> None:
    store = Store()
    store.faster = [Lane("mine", {"reviews": "v7"})]
    with pytest.raises(LaneError, match="there is one already"):
        await run(store, MINE, start=True)
    assert store.members == {}
    assert lanes_in(store.landscape) == (Lane("mine", {"reviews": "v7"}),)


BOTH = Lane("both", {"ratings": "v2", "reviews": "v2"})


async def test_a_change_that_is_half_written_is_finished_on_top_of_what_others_wrote() -> None:
    store = Store("ratings", "reviews")
    store.landscape = put(store.landscape, OTHER)
    store.between = [edits.create(Lane("dev", {"reviews": "v1", "ratings": "v9"}))]
    result = await run(store, BOTH)
    assert lanes_in(store.landscape) == (BOTH, Lane("dev", {"ratings": "v9", "reviews": "v1"}), OTHER)
    assert store.revisions[-1].lanes == lanes_in(store.landscape)
    assert {change.key.name for change in result.changed} == {"ratings", "reviews"}


async def test_what_was_started_ends_also_when_its_lane_is_half_gone_at_the_second_attempt() -> None:
    store = Store("ratings", "reviews")
    await run(store, Lane("mine", {"ratings": "v2", "reviews": "mine"}), start=True)
    # the first object to go is all there is of the lane when its workload is looked for again
    store.between = [edits.delete("mine")]
    await run(store, None)
    assert (lanes_in(store.landscape), store.members) == ((), {})


async def test_two_changes_that_do_not_touch_both_stand_in_the_history() -> None:
    store = Store()
    await run(store, OTHER)
    store.sooner = [Revision(2, "now", "ann", "something else", (OTHER,))]
    result = await run(store, DEV)
    assert [(r.number, r.change) for r in store.revisions[2:]] == [(2, "something else"), (3, "a change")]
    assert result.revision == 3


async def test_a_history_that_cannot_be_written_is_told_and_undoes_nothing() -> None:
    store = Store()

    async def record(_: Sequence[Revision]) -> None:
        raise LaneError("no right to")

    store.record = record  # type: ignore[method-assign]
    result = await run(store, MINE, start=True)
    assert result.notes == ("note: the history does not have this change: no right to",)
    assert (result.revision, lanes_in(store.landscape), [*store.members]) == (
        None,
        (MINE,),
        [("reviews", "mine")],
    )


async def test_what_was_started_ends_with_the_lane_or_with_a_failure() -> None:
    store = Store()
    store.fault = LaneError("refused")
    with pytest.raises(LaneError, match="refused"):
        await run(store, MINE, start=True)
    assert store.members == {}
    store.fault = None
    await run(store, MINE, start=True)
    assert store.revisions[-1].workloads == {"reviews/mine": {"command": "./x", "directory": "/home"}}
    assert [*store.members] == [("reviews", "mine")]
    await run(store, None)
    assert store.members == {}
    assert store.revisions[-1].workloads == {}


async def test_what_cannot_be_taken_back_is_told() -> None:
    store = Store()
    store.fault = LaneError("refused.")

    async def withdraw(_: str, __: str) -> None:
        raise LaneError("gone away.")

    store.withdraw = withdraw  # type: ignore[method-assign]
    with pytest.raises(
        LaneError, match=r"^gone away\. reviews/mine was started and could not be ended again\.$"
    ):
        await run(store, MINE, start=True)


async def test_ctrl_c_before_the_rules_are_written_undoes_and_after_that_finishes() -> None:
    store = Store()
    store.hold = asyncio.Event()
    task = asyncio.create_task(run(store, MINE, start=True))
    await store.starting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (store.members, lanes_in(store.landscape), store.revisions) == ({}, (), [])

    task = asyncio.create_task(run(store, DEV))
    await store.writing.wait()
    task.cancel()
    await asyncio.sleep(0)
    store.hold.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lanes_in(store.landscape) == (DEV,)
    assert store.revisions[-1].lanes == (DEV,)


async def test_notes_name_the_doors_rules_that_lead_to_no_lane() -> None:
    store = Store()
    store.landscape = put(store.landscape, DEV)
    store.text = "rules: [{user: jason, lane: dev}, {user: ann, lane: old}]"
    result = await carry_out(store, lambda *_: Plan(edits.delete("dev")), JOURNAL, dry_run=True)
    assert result.notes == (
        "note: rule 1 of the door (user jason → dev) leads to dev, and there is no such lane",
    )
    added = "rules: [{user: ann, lane: old}, {header: x-lane}, {percent: 5, lane: nosuch}]"
    result = await carry_out(store, lambda *_: Plan(door=added), JOURNAL, dry_run=True)
    assert [note.partition(" of ")[0] for note in result.notes] == ["note: rule 3"]


async def test_notes_say_what_happens_while_nobody_is_ready() -> None:
    store = Store()
    assert (await run(store, DEV)).notes == (
        "note: no reviews v2 is ready, so in the lane dev base serves its calls until one is",
    )
    (note,) = (await run(store, Lane("dev", {"reviews": "v2"}, Mode.STRICT))).notes
    assert "its calls fail" in note
    assert (await run(store, MINE, start=True)).notes == ()
