"""The collector against admin ports that answer, hang, lie, die and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from aiohttp import web

from console.reading.clients import Dump
from console.reading.collector import Collector, UnansweredError
from console.reading.peers import Peer
from console.reading.spans import Span
from tests.fakes.admin_port import AdminPort
from tests.fakes.recorded import said


class Collected(Collector):
    """A collector and what it has brought."""

    def __init__(self, timeout: float = 20.0, patience: float = 20.0) -> None:
        self.names: list[str] = []
        self.dumps: list[str] = []
        super().__init__(self._took_spans, self._took_dump, timeout=timeout, patience=patience)

    def _took_spans(self, spans: Sequence[Span]) -> None:
        self.names += [span.name for span in spans]

    def _took_dump(self, dump: Dump) -> None:
        self.dumps.append(dump.name)


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collected]:
    async with Collected() as made:
        yield made


@pytest_asyncio.fixture
async def admin() -> AsyncIterator[AdminPort]:
    async with AdminPort() as port:
        yield port


def peer(port: AdminPort, name: str = "reviews/v1") -> Peer:
    return Peer(name, port.address)


async def test_each_span_comes_once(collector: Collected, admin: AdminPort) -> None:
    admin.ended("one", "two")
    await collector.look([peer(admin)])
    admin.ended("three")
    await collector.look([peer(admin)])
    await collector.look([peer(admin)])
    assert collector.names == ["one", "two", "three"]
    assert admin.since == [0, 2, 3]
    assert admin.hosts == {"localhost"}
    assert collector.unreachable() == []
    found = collector.of_instance("reviews-v1")
    assert found is not None
    assert found.told is not None
    assert str(found.told.place) == "reviews v1"


@pytest.mark.parametrize("later", [["five"], ["five", "six", "seven", "eight"]])
async def test_a_process_that_starts_anew_counts_anew(
    collector: Collected, admin: AdminPort, later: list[str]
) -> None:
    admin.ended("one", "two")
    await collector.look([peer(admin)])
    admin.restart()
    admin.ended(*later)
    await collector.look([peer(admin)])
    assert collector.names == ["one", "two", *later]
    assert admin.since == [0, 2, 0]


async def test_what_a_client_holds_and_who_is_none(collector: Collected, admin: AdminPort) -> None:
    async with AdminPort("productpage", "v1", dump=said("config-dump")) as client:
        both = [peer(admin), peer(client, "productpage/v1")]
        await collector.look(both)
        await collector.look(both)
        assert set(collector.dumps) == {"productpage-v1"}
        assert admin.asked["/config_dump"] == 1  # it has said that it is none
        assert client.asked["/lanes"] == 1
        found = {watched.peer.name: watched.dump and watched.dump.name for watched in collector.watched}
        assert found == {"reviews/v1": None, "productpage/v1": "productpage-v1"}
        admin.restart()
        await collector.look(both)
        await collector.look(both)
        assert admin.asked["/config_dump"] == 2


async def test_a_dump_takes_little_of_a_clients_time(admin: AdminPort) -> None:
    admin.dump = said("config-dump")
    async with Collected() as collector:
        await collector.look([peer(admin)])
        [watched] = collector.watched
        watched.next_dump = asyncio.get_running_loop().time() + 60
        await collector.look([peer(admin)])
        assert admin.asked["/config_dump"] == 1
        watched.next_dump = 0.0
        begun = asyncio.get_running_loop().time()
        await collector.look([peer(admin)])
        assert admin.asked["/config_dump"] == 2
        assert watched.next_dump > begun


async def test_one_that_hangs_costs_the_others_nothing(admin: AdminPort) -> None:
    async with AdminPort("ratings", "v1") as other, Collected(patience=1.0) as collector:
        both = [peer(admin), peer(other, "ratings/v1")]
        admin.answers.clear()
        other.ended("first")
        await collector.look(both)  # it may have had a bad moment only
        begun = asyncio.get_running_loop().time()
        for number in range(50):  # from then on nobody waits for it, or asks again before it has answered
            other.ended(f"{number}")
            await collector.look(both)
        assert asyncio.get_running_loop().time() - begun < 15.0
        assert collector.names == ["first", *(f"{number}" for number in range(50))]
        assert admin.asked["/spans"] == 1
        assert collector.unreachable() == []


async def test_one_that_hangs_is_named_until_it_answers(admin: AdminPort) -> None:
    async with Collected(timeout=0.2, patience=0.05) as collector:
        admin.answers.clear()
        while not collector.unreachable():
            await collector.look([peer(admin)])
            await asyncio.sleep(0)
        assert collector.unreachable() == [("reviews/v1", f"no answer from {admin.address} within 0.2 s")]
        admin.ended("late")
        admin.answers.set()
        while collector.unreachable():
            await collector.look([peer(admin)])
            await asyncio.sleep(0)
        assert collector.names == ["late"]


async def test_one_that_dies_is_named_and_found_again(collector: Collected, admin: AdminPort) -> None:
    both = [peer(admin)]
    admin.ended("one")
    await collector.look(both)
    await admin.stop()
    await collector.look(both)
    [(name, error)] = collector.unreachable()
    assert name == "reviews/v1"
    assert error == f"{admin.address}: connection refused"
    admin.restart()
    admin.ended("two")
    async with admin:
        await collector.look(both)
        assert collector.unreachable() == []
        assert collector.names == ["one", "two"]


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("/spans", {"text": "{"}, "/spans is no JSON"),
        ("/spans", {"text": "[" * 100_000}, "/spans is no JSON"),
        ("/spans", {"body": b"\xff\xfe"}, "/spans is no JSON"),
        ("/spans", {"text": '{"service": "\\uD800"}'}, "/spans is no JSON"),
        ("/spans", {"text": "{}"}, "service is no text"),
        ("/spans", {"text": "7"}, "the answer is no object"),
        ("/spans", {"status": 500, "text": "oh no"}, "/spans answers 500: oh no"),
        (
            "/spans",
            {"status": 403, "text": '{"error": {"code": "PERMISSION_DENIED", "reason": "not you"}}'},
            "/spans answers 403: not you",
        ),
        ("/config_dump", {"text": "{}"}, "server is no object"),
        ("/config_dump", {"status": 500, "text": "[]"}, "/config_dump answers 500: []"),
    ],
)
async def test_an_answer_that_is_none_is_said_and_no_crash(
    collector: Collected, admin: AdminPort, path: str, answer: dict[str, object], error: str
) -> None:
    admin.ended("one")
    admin.raw[path] = web.Response(**answer)  # type: ignore[arg-type]
    await collector.look([peer(admin)])
    assert collector.unreachable() == [("reviews/v1", f"{admin.address}: {error}")]
    await collector.look([peer(admin)])
    assert collector.unreachable() == []
    assert collector.names == ["one"]


async def test_who_is_gone_is_not_asked_any_more(collector: Collected, admin: AdminPort) -> None:
    await collector.look([peer(admin)])
    await collector.look([])
    await collector.look([])
    assert admin.asked["/spans"] == 1
    assert collector.watched == ()
    assert collector.of_instance("reviews-v1") is None


async def test_a_question_and_what_can_become_of_it(collector: Collected, admin: AdminPort) -> None:
    await collector.look([peer(admin)])
    [watched] = collector.watched
    admin.raw["/explain"] = web.json_response({"route": None})
    assert await collector.explain(watched, [("target", "t"), ("method", "m")]) == {"route": None}
    with pytest.raises(UnansweredError, match="/explain answers 404: calls nobody"):
        await collector.explain(watched, [])


async def test_the_end_ends_what_is_under_way(admin: AdminPort) -> None:
    admin.answers.clear()
    async with Collected(patience=0.01) as collector:
        await collector.look([peer(admin)])
        [watched] = collector.watched
    assert watched.task is not None
    assert watched.task.cancelled()
