"""Several people at once on one API server: nobody's routes are lost, and nobody's edit by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from lanes import edits
from lanes.cluster.store import ClusterStore
from lanes.history import Revision
from lanes.own import lanes_in
from lanes.runner import Journal, Plan, Result, carry_out
from lanes.spec import Lane
from lanes.store import Seen
from tests.cluster.apiserver.conftest import Bookinfo
from tests.cluster.apiserver.server import MERGE
from tests.fakes.lanes_command import Command

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
ONE = Lane("one", {"ratings": "v2", "reviews": "v2"})


class Crossed(ClusterStore):
    """Somebody else writes each time after it has read."""

    others: list[Callable[[], Awaitable[object]]]

    async def read(self) -> Seen:
        seen = await super().read()
        if self.others:
            await self.others.pop(0)()
        return seen


@asynccontextmanager
async def quietly(_: str) -> AsyncIterator[None]:
    yield


def told(_: str) -> None:
    pass


async def create(bookinfo: Bookinfo, lane: Lane, *others: Callable[[], Awaitable[object]]) -> Result:
    store = Crossed(bookinfo.api, "env", 30, told)
    store.others = list(others)

    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        return Plan(edits.create(lane))

    return await carry_out(store, plan, Journal(f"create {lane.name}", "test", "now", quietly))


async def lanes_there(bookinfo: Bookinfo) -> tuple[Lane, ...]:
    return lanes_in((await ClusterStore(bookinfo.api, "env", 30, told).read()).landscape)


def virtual_service(bookinfo: Bookinfo, name: str) -> str:
    return f"/apis/networking.istio.io/v1/namespaces/{bookinfo.namespace}/virtualservices/{name}"


async def edit_by_hand(bookinfo: Bookinfo, name: str) -> None:
    """A timeout on the last route, as somebody writes it with kubectl edit."""
    path = virtual_service(bookinfo, name)
    there = await bookinfo.server.ask("GET", path)
    there["spec"]["http"][-1]["timeout"] = "7s"
    await bookinfo.server.ask("PUT", path, there)


async def test_who_is_slower_reads_again_and_keeps_what_the_other_wrote(
    bookinfo: Bookinfo, lanes: Command
) -> None:
    other = Lane("other", {"reviews": "v1"})
    result = await create(bookinfo, ONE, lambda: create(bookinfo, other))
    assert await lanes_there(bookinfo) == (ONE, other)
    assert result.lanes == (ONE, other)
    history = await ClusterStore(bookinfo.api, "env", 30, told).history()
    assert [each.change for each in history[-2:]] == ["create other", "create one"]
    assert history[-1].number == history[-2].number + 1


async def test_an_edit_by_hand_in_between_stays(bookinfo: Bookinfo, lanes: Command) -> None:
    # ratings is written first: its conflict has all planned anew, that of reviews finds half of it there
    await create(
        bookinfo, ONE, lambda: edit_by_hand(bookinfo, "ratings"), lambda: edit_by_hand(bookinfo, "reviews")
    )
    assert await lanes_there(bookinfo) == (ONE,)
    for name in ("ratings", "reviews"):
        path = virtual_service(bookinfo, name)
        there = await bookinfo.server.ask("GET", path)
        assert [each["name"] for each in there["spec"]["http"]] == ["lane-one", "base"]
        assert there["spec"]["http"][-1].pop("timeout") == "7s"
        await bookinfo.server.ask("PATCH", path, {"spec": {"http": there["spec"]["http"]}}, MERGE)


async def test_creates_at_once_lose_nothing(bookinfo: Bookinfo, lanes: Command) -> None:
    names = [f"team-{number}" for number in range(8)]
    held = [("reviews=v2",), ("ratings=v2",), ("reviews=v1", "ratings=v2"), ("details=v2", "reviews=v2")]
    words = [[word for each in held[n % len(held)] for word in ("-s", each)] for n in range(len(names))]
    answers = await asyncio.gather(*(lanes("create", n, *w) for n, w in zip(names, words, strict=True)))
    assert [answer.code for answer in answers] == [0] * len(names), answers
    assert [lane["name"] for lane in await lanes.json("list")] == names
    numbers = [each["revision"] for each in await lanes.json("history")]
    assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]
    answers = await asyncio.gather(*(lanes("delete", name) for name in names))
    assert [answer.code for answer in answers] == [0] * len(names), answers


async def test_of_two_who_create_the_same_lane_one_is_told_so(bookinfo: Bookinfo, lanes: Command) -> None:
    answers = await asyncio.gather(*(lanes("create", "same", "-s", "reviews=bookinfo:1") for _ in range(3)))
    assert sorted(answer.code for answer in answers) == [0, 1, 1], answers
    for answer in answers:
        if answer.code:
            last = answer.err.splitlines()[-1]
            assert "There is a lane same already" in last or "somebody is creating that lane" in last, answer
    assert "reviews-same" in await bookinfo.deployments()
    assert [lane["name"] for lane in await lanes.json("list")] == ["same"]
