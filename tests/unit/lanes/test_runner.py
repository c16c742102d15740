"""A change is carried out whole or not at all, whoever else is at it and whoever presses Ctrl-C."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from lanes.change import Step
from lanes.compose import drop, lanes_in, put
from lanes.history import Revision
from lanes.landscape import Known, Landscape, LaneError, key_of
from lanes.runner import Journal, Plan, Result, carry_out
from lanes.spec import Lane, Mode
from lanes.store import Conflict, LaneStore, Member, Outcome, Seen, Workload

DEV = Lane("dev", {"reviews": "v2"})
OTHER = Lane("other", {"reviews": "v1"})
MINE = Lane("mine", {"reviews": "mine"})
WORKLOAD = Workload("./x", "/home", ("x",), "/home")


class Store:
    """A mesh in memory; `faster` is what somebody else does just before each write."""

    def __init__(self) -> None:
        self.landscape = Landscape({}, (Known("reviews"),))
        self.members: dict[tuple[str, str], Member] = {}
        self.revisions: list[Revision] = []
        self.text = ""
        self.faster: list[Lane] = []
        self.fault: Exception | None = None
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

    async def carry_out(self, steps: Sequence[Step], seen: Seen) -> Outcome:
        self.writing.set()
        if self.faster:
            self.landscape = put(self.landscape, self.faster.pop())
        if seen.landscape != self.landscape:
            raise Conflict
        if self.fault is not None:
            raise self.fault
        objects = dict(self.landscape.objects)
        for step in steps:
            objects |= {key_of(document): document for document in step.apply}
            for key in step.delete:
                del objects[key]
        if self.hold is not None:
            await self.hold.wait()
        self.landscape = Landscape(objects, self.landscape.services)
        return Outcome(True, ("written",), {})

    async def start(self, service: str, version: str, workload: Workload) -> Member:
        self.members[service, version] = Member(service, version, version, "", True, command=workload.given)
        self.starting.set()
        if self.hold is not None:
            await self.hold.wait()
        return self.members[service, version]

    async def stop(self, service: str, version: str) -> None:
        self.members.pop((service, version), None)

    async def history(self) -> list[Revision]:
        return self.revisions

    async def record(self, revision: Revision) -> None:
        self.revisions.append(Revision.from_dict(revision.to_dict()))

    async def door(self) -> str:
        return self.text

    async def set_door(self, text: str) -> Outcome:
        self.text = text
        return Outcome(True, ("door",), {})

    async def client_environment(self) -> Mapping[str, str]:
        return {}


@asynccontextmanager
async def quietly(_: str) -> AsyncIterator[None]:
    yield


JOURNAL = Journal("a change", "me", "now", quietly)


async def run(store: Store, lane: Lane | None, *, start: bool = False, dry_run: bool = False) -> Result:
    protocol: LaneStore = store

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        after = drop(seen.landscape, "mine") if lane is None else put(seen.landscape, lane)
        return Plan(after, {("reviews", "mine"): WORKLOAD} if start else {})

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


async def test_who_was_slower_plans_anew() -> None:
    store = Store()
    store.faster = [OTHER]
    await run(store, DEV)
    assert lanes_in(store.landscape) == (DEV, OTHER)
    assert len(store.revisions) == 2


async def test_who_is_always_slower_gives_up() -> None:
    store = Store()
    store.faster = [Lane(f"l{number}", {"reviews": "v1"}) for number in range(9)]
    with pytest.raises(LaneError, match="all the time"):
        await run(store, MINE, start=True)
    assert store.members == {}
    assert store.revisions == []


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


async def test_notes_say_what_happens_while_nobody_is_ready() -> None:
    store = Store()
    assert (await run(store, DEV)).notes == (
        "note: no reviews v2 is ready, so in the lane dev base serves its calls until one is",
    )
    (note,) = (await run(store, Lane("dev", {"reviews": "v2"}, Mode.STRICT))).notes
    assert "its calls fail" in note
    assert (await run(store, MINE, start=True)).notes == ()
